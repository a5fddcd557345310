#include "config/cors_reader.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "config/header_names.hpp"
#include "config/scalars.hpp"

namespace onceproxy::config {
namespace {

using policies::Cors;

/// A day; browsers remember no longer than that, and some only two hours.
constexpr milliseconds max_age_most = std::chrono::hours(24);

/// What a browser would send for the same origin; nothing if the text is one already.
std::string as_browsers_write(std::string_view origin) {
  std::string out(origin);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  const std::size_t host = out.find("://") + 3;
  out.resize(std::min(out.find_first_of("/?#", host), out.size()));
  const std::string_view port = out.starts_with("https:") ? ":443" : ":80";
  if (out.ends_with(port)) out.resize(out.size() - port.size());
  return out;
}

/// RFC 6454 6.2: scheme, host and a port that is not the scheme's own.
std::optional<std::string> wrong_origin(std::string_view origin) {
  if (origin == "*" || origin == "any") {
    return "is not an origin; write origins: any instead of the list";
  }
  if (origin == "null") {
    return "is the origin of every sandboxed page and every local file, so it does not identify a "
           "page";
  }
  const std::size_t scheme = origin.find("://");
  if (scheme == std::string_view::npos || scheme == 0) {
    return "is not an origin: an origin has a scheme, as https://a.example";
  }
  const std::string meant = as_browsers_write(origin);
  const std::string_view authority = std::string_view(meant).substr(scheme + 3);
  if (authority.find('*') != std::string_view::npos) {
    return "has a wildcard; list each origin";
  }
  // What follows the scheme must be a host; a port may be missing.
  const std::size_t colon = authority.rfind(':');
  const bool with_port = colon != std::string_view::npos && authority.back() != ']';
  if (!parse_address(std::string(authority) + (with_port ? "" : ":1"))) {
    return "is not an origin: a scheme, a host and, unless it is the scheme's default, a port";
  }
  if (meant != origin) return "never comes in this form: browsers write " + quote(meant);
  return std::nullopt;
}

/// Whether the list stands for every origin, and the list.
struct Origins {
  bool any = false;
  std::vector<std::string> listed;
};

Kind<Origins> origins() {
  const Kind<std::vector<std::string>> several =
      list("origins", text("an origin", wrong_origin), Empty::refused);
  Kind<Origins> kind;
  kind.read = [several](const Node& node) -> std::optional<Origins> {
    if (node.is_scalar() && node.text() == "any") return Origins{true, {}};
    if (!node.is_list()) {
      node.expected("a list of origins such as [https://a.example], or the word any");
      return std::nullopt;
    }
    auto listed = several.read(node);
    if (!listed) return std::nullopt;
    return Origins{false, *std::move(listed)};
  };
  kind.schema = [several] {
    return JsonObject({{"anyOf", JsonArray({several.schema(), word_schema({"any"})})}});
  };
  return kind;
}

std::optional<std::string> wrong_exposed(std::string_view name) {
  if (name == "*") return "is not a header name; list each field";
  if (!is_token(name)) return "is not a valid header name";
  return std::nullopt;
}

struct Draft {
  Origins origins;
  bool credentials = false;
  std::vector<std::string> expose;
  milliseconds max_age = Cors().max_age;
};

void check(const Node& node, Draft& draft) {
  if (!draft.origins.any || !draft.credentials) return;
  node.get("credentials")
      ->problem(
          "with origins: any, every page in the world could act for its visitors; list the "
          "origins that may");
}

}  // namespace

Kind<Cors> cors() {
  const Kind<Draft> draft = section<Draft>(
      {"cors",
       {key<Draft>("origins", &Draft::origins, origins(),
                   "The origins whose pages may read the answers of onceproxy, as browsers write "
                   "them (https://a.example, http://localhost:3000), or the word any.",
                   Need::required),
        key<Draft>("credentials", &Draft::credentials, flag(),
                   "Whether these pages may send cookies, client certificates and HTTP "
                   "authentication. Not possible with origins: any."),
        key<Draft>("expose", &Draft::expose,
                   list("header names", text("a header name", wrong_exposed)),
                   "Fields of an answer that scripts may read, besides Idempotent-Replayed, "
                   "Retry-After, Onceproxy-Decision and x-request-id."),
        key<Draft>("max_age", &Draft::max_age, duration_or_zero(max_age_most),
                   "How long a browser may cache the answer to a preflight request, in whole "
                   "seconds, up to 24h. 0: not at all.")}},
      check);
  Kind<Cors> kind;
  kind.names = draft.names;
  kind.schema = draft.schema;
  kind.read = [draft](const Node& node) -> std::optional<Cors> {
    auto value = draft.read(node);
    if (!value) return std::nullopt;
    Cors cors;
    cors.any = value->origins.any;
    cors.origins = std::move(value->origins.listed);
    cors.credentials = value->credentials;
    cors.expose = std::move(value->expose);
    cors.max_age = std::chrono::floor<std::chrono::seconds>(value->max_age);
    return cors;
  };
  return kind;
}

}  // namespace onceproxy::config
