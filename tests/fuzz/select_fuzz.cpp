// Selection: a request cut out of the input meets a set of policies that use every selector. The
// same request gives the same answer twice, white space around a JSON body or a byte order mark
// before it changes nothing, and only a body that cannot be read leaves a condition open.
#include <string>
#include <vector>

#include "claim.hpp"
#include "policies/conditions.hpp"
#include "policies/earlier.hpp"
#include "policies/path.hpp"
#include "policies/path_template.hpp"
#include "policies/pointer.hpp"
#include "policies/policy_set.hpp"
#include "policies/select.hpp"

using namespace onceproxy::policies;

namespace {

constexpr std::size_t decoded_bytes_max = std::size_t{64} * 1024;

Selector selector(Source source, std::string name) {
  Selector out;
  out.source = source;
  out.name = std::move(name);
  if (source == Source::body) out.pointer = parse_pointer(out.name).value();
  if (source == Source::xml) out.xpath = XPath::compile(out.name).value();
  return out;
}

Selector modified(Selector selector) {
  selector.lower = selector.trim = selector.sort = true;
  selector.round = 2;
  selector.default_value = "[1.005,{\"a\":\" X\"}]";
  return selector;
}

/// Looks inside the text, in every way.
Selector inside(Selector selector) {
  selector.json = parse_pointer("/a/*").value();
  selector.capture = std::make_shared<re2::RE2>("([a-z]+)");
  selector.default_value = "[\"x\"]";
  selector.sort = true;
  return selector;
}

/// Fields that lie deep: each with a default, so that one that is missing does not end the rest.
std::vector<Selector> deep() {
  std::vector<Selector> out;
  for (const Decode decode : {Decode::none, Decode::base64, Decode::percent}) {
    for (const Source source : {Source::header, Source::query, Source::form, Source::content}) {
      // A byte order mark before content is skipped as JSON, and is no base64.
      if (source == Source::content && decode == Decode::base64) continue;
      out.push_back(inside(selector(source, "a")));
      out.back().decode = decode;
    }
    out.push_back(inside(selector(Source::body, "/b/*")));
    out.back().decode = decode;
  }
  for (const char* path : {"//a", "/a/@b", "concat(//a, //@b)", "//a[b = 'x'][1]/..", "/*/*[2]"}) {
    out.push_back(modified(selector(Source::xml, path)));
  }
  out.push_back(modified(selector(Source::body, "/list/*")));
  out.back().take = {parse_pointer("/n").value(), parse_pointer("/a/*").value()};
  out.push_back(selector(Source::content, ""));
  out.back().except = {parse_pointer("/a").value(), parse_pointer("/list/*/n").value()};
  out.push_back(selector(Source::target, "normal"));
  return out;
}

Policy policy(std::string_view path) {
  Policy out;
  out.name = out.name_space = "p";
  out.match.has_path = true;
  out.match.path = parse_path_template(path).value();
  return out;
}

PolicySet make_set() {
  std::vector<Policy> policies;
  policies.push_back(policy("/a/{id}"));
  policies.back().match.where = {{selector(Source::body, "/type"), {"x", "1"}, nullptr}};
  policies.back().fingerprint = {selector(Source::path, "id"), selector(Source::body, "/list/*/n")};
  policies.push_back(policy("/a/**"));
  policies.back().match.where = {
      {selector(Source::client_key, "k"), {}, std::make_shared<re2::RE2>("[a-z]+")}};
  policies.back().fingerprint = {selector(Source::client_key, "k")};
  policies.back().payload = {selector(Source::method, ""), selector(Source::target, ""),
                             selector(Source::content, "")};
  policies.push_back(policy("/b/**"));
  policies.back().match.methods = {"DELETE"};
  policies.back().match.method_override = true;
  policies.back().fingerprint = {selector(Source::method, "")};
  policies.push_back(policy("/c/**"));
  policies.back().fingerprint = deep();
  policies.push_back(policy("/**"));
  for (const Source source : {Source::header, Source::query, Source::cookie, Source::form}) {
    policies.back().fingerprint.push_back(modified(selector(source, "a")));
    policies.back().payload.push_back(selector(source, "a"));
    policies.back().payload.back().default_value = "";
  }
  for (const char* pointer : {"", "/a", "/a/0", "/*", "/a/*/b/*"}) {
    policies.back().fingerprint.push_back(modified(selector(Source::body, pointer)));
  }
  return PolicySet(std::move(policies));
}

/// Lines of the input: method, target, header fields up to an empty line, and the body.
struct Parts {
  std::string method;
  std::string target;
  std::vector<std::string> lines;
  std::string body;
};

std::string take_line(std::string& rest) {
  const std::size_t end = std::min(rest.find('\n'), rest.size());
  std::string line = rest.substr(0, end);
  rest.erase(0, end + 1);
  return line;
}

Parts cut(std::string input) {
  Parts parts;
  parts.method = take_line(input);
  parts.target = take_line(input);
  while (!input.empty()) {
    std::string line = take_line(input);
    if (line.empty()) break;
    parts.lines.push_back(std::move(line));
  }
  parts.body = std::move(input);
  return parts;
}

struct Result {
  const Policy* policy = nullptr;
  tl::expected<Operation, SelectError> operation;
};

Result run(const PolicySet& set, const RequestView& request, std::string_view bytes) {
  Document body(request, bytes, decoded_bytes_max);
  Result result;
  const Choice choice = set.choose(set.candidates(request), request, body);
  claim(choice.unclear.empty() || body.known_unreadable() != nullptr,
        "only what cannot be read leaves a policy unclear");
  result.policy = choice.deciding([](const Policy& policy) { return policy.enforcement; });
  if (result.policy != nullptr) {
    result.operation = select_operation(*result.policy, request, body);
    const bool unreadable =
        !result.operation && result.operation.error().kind == SelectError::Kind::unreadable;
    claim(!unreadable || body.known_unreadable() != nullptr, "what is called unreadable is");
    if (result.operation) {
      const auto earlier = earlier_digests(*result.policy, *result.operation, request, body);
      const bool same = earlier && earlier->fingerprint == result.operation->fingerprint &&
                        earlier->payload == result.operation->payload;
      claim(!same, "earlier digests are told only where they differ");
    }
    selected_fields(result.policy->fingerprint, *result.policy, request, body);
  }
  return result;
}

void claim_equal(const Result& a, const Result& b, const char* what) {
  claim(a.policy == b.policy, what);
  if (a.policy == nullptr) return;
  claim(a.operation.has_value() == b.operation.has_value(), what);
  if (!a.operation) return;
  claim(a.operation->fingerprint == b.operation->fingerprint, what);
  claim(a.operation->payload == b.operation->payload, what);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  static const PolicySet set = make_set();
  const Parts parts = cut(std::string(reinterpret_cast<const char*>(data), size));
  std::vector<Field> fields;
  for (const std::string& line : parts.lines) {
    const std::string_view view = line;
    const std::size_t colon = std::min(view.find(':'), view.size());
    fields.push_back({view.substr(0, colon), view.substr(std::min(colon + 1, view.size()))});
  }
  const std::string_view target = parts.target;
  const std::size_t question = std::min(target.find('?'), target.size());
  std::string scratch;
  const auto path = normalize_path(target.substr(0, question), scratch);
  if (!path) return 0;
  const RequestView request{parts.method, target, *path,
                            target.substr(std::min(question + 1, target.size())), fields};

  const Result first = run(set, request, parts.body);
  claim_equal(first, run(set, request, parts.body), "the same request is the same operation");
  Document body(request, parts.body, decoded_bytes_max);
  const bool encoded = request.header("content-encoding") != nullptr;
  const bool form = request.header("content-type") != nullptr;
  const bool marked = parts.body.starts_with("\xEF\xBB\xBF");
  if (body.json() != nullptr && !encoded && !form && !marked) {
    claim_equal(first, run(set, request, " \t\r\n" + parts.body + "\n"),
                "white space around JSON changes nothing");
    claim_equal(first, run(set, request, "\xEF\xBB\xBF" + parts.body),
                "a byte order mark before JSON changes nothing");
  }
  return 0;
}
