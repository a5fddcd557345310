// Heads of requests: what is taken is written so that it is read again as the same request, with
// nothing of the client's connection in it, and nothing that the proxy alone may say.
#include <memory>
#include <string>

#include "claim.hpp"
#include "proxy/http/grammar/head.hpp"
#include "proxy/http/head_writer.hpp"

using namespace onceproxy::http;

namespace {

/// find_head_end gives one answer, wherever reading stopped before.
std::size_t head_end(std::string_view text) {
  const std::size_t end = find_head_end(text);
  std::size_t in_two = find_head_end(text.substr(0, text.size() / 2));
  if (in_two == 0) in_two = find_head_end(text, text.size() / 2);
  claim(in_two == end, "a head's end does not depend on how it was read");
  return end;
}

bool is_hop_by_hop(Known known) {
  return known == Known::connection || known == Known::hop_by_hop || known == Known::upgrade;
}

/// What was written, read again; `head` views `text`.
void read_again(std::string_view text, RequestHead& head) {
  claim(find_head_end(text) == text.size(), "what is written is one head and nothing more");
  HeadLimits limits;
  limits.fields = 1000;
  claim(!parse_request_head(text, limits, head), "what is written is read again");
}

void check_passed(const RequestHead& head) {
  std::string out;
  write_request_head(head, {false, head.expects_continue}, "upstream:80", {}, out);
  RequestHead again;
  read_again(out, again);
  claim(again.method == head.method && again.target == head.target, "the request line is kept");
  claim(again.path == head.path && again.query == head.query, "the path and query are kept");
  claim(again.framing.kind == head.framing.kind && again.framing.length == head.framing.length,
        "the body that follows is framed as before");
  claim(again.keep_alive && !again.has_named, "nothing of the connection goes on");
  claim(again.host == (head.host.empty() ? "upstream:80" : head.host), "the host is kept");
  std::size_t at = 0;
  for (std::size_t i = 0; i < again.fields.size(); ++i) {
    claim(!is_hop_by_hop(again.known[i]), "nothing hop-by-hop goes on");
    claim(again.known[i] != Known::ours, "nobody forges what the proxy says");
  }
  // The fields that go on are those that came, in order, with their values.
  for (std::size_t i = 0; i < head.fields.size(); ++i) {
    if (is_hop_by_hop(head.known[i]) || head.known[i] == Known::ours || head.dropped(i)) continue;
    while (at < again.fields.size() && again.fields[at].name != head.fields[i].name) ++at;
    claim(at < again.fields.size() && again.fields[at].value == head.fields[i].value,
          "a field that is for everybody goes on as it came");
    ++at;
  }
  // Blanks behind a value that was not the last, and is now, go with the second writing.
  std::string twice, thrice;
  write_request_head(again, {false, again.expects_continue}, "other:80", {}, twice);
  read_again(twice, again);
  write_request_head(again, {false, again.expects_continue}, "other:80", {}, thrice);
  claim(thrice == twice, "what was written has nothing left to rewrite");
}

void check_covered(const RequestHead& head, std::size_t body_bytes) {
  CoveredFields fields;
  fields.request_id = "r";
  fields.client = "::1";
  fields.response_timeout = std::chrono::milliseconds(1);
  fields.body_bytes = body_bytes;
  fields.fingerprint.emplace();
  std::string out;
  write_covered_request_head(head, fields, "upstream:80", out);
  RequestHead again;
  read_again(out, again);
  int own = 0, ids = 0, forwarded = 0;
  for (const Known known : again.known) {
    claim(!is_hop_by_hop(known), "nothing hop-by-hop goes on");
    own += known == Known::ours;
    ids += known == Known::request_id;
    forwarded += known == Known::forwarded_for;
  }
  claim(own == 2, "the fingerprint and the fence are the proxy's");
  claim(ids == 1 && forwarded == 1, "one request id, one list of clients");
  claim(again.forwarded_host >= 0 && again.forwarded_proto >= 0, "host and scheme are told");
  claim(again.framing.kind != Framing::Kind::chunked && again.framing.length == body_bytes,
        "the body is framed by its length");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t end = head_end(input);
  if (end == 0) return 0;
  // Exactly as large as the head, so that a look behind it is seen.
  const std::unique_ptr<char[]> memory(new char[end]);
  input.copy(memory.get(), end);
  const std::string_view text(memory.get(), end);
  RequestHead head;
  const auto bad = parse_request_head(text, {}, head);
  if (bad) {
    claim(bad->status >= 400 && bad->status <= 505 && !bad->reason.empty(), "a refusal is told");
    return 0;
  }
  check_passed(head);
  check_covered(head, size % 3);

  const std::string copy(text);
  head.move_views(text.data(), copy.data());
  check_passed(head);
  return 0;
}
