#include "config/postgres_url.hpp"

#include <algorithm>
#include <array>
#include <vector>

#include "config/text.hpp"

namespace onceproxy::config {
namespace {

constexpr std::array<std::string_view, 2> schemes{"postgresql://", "postgres://"};
constexpr std::string_view scheme_begin = "postgres";
constexpr std::string_view hidden = "[redacted]";
constexpr std::string_view example = "postgresql://onceproxy@db.example/onceproxy";

/// Of libpq 15, without what the store itself decides on (below) or must not be chosen here.
const std::vector<std::string>& parameters() {
  static const std::vector<std::string> names{"host",
                                              "hostaddr",
                                              "port",
                                              "dbname",
                                              "user",
                                              "password",
                                              "passfile",
                                              "channel_binding",
                                              "sslmode",
                                              "sslcompression",
                                              "sslcert",
                                              "sslkey",
                                              "sslpassword",
                                              "sslrootcert",
                                              "sslcrl",
                                              "sslcrldir",
                                              "sslsni",
                                              "requirepeer",
                                              "krbsrvname",
                                              "gsslib",
                                              "gssencmode",
                                              "service",
                                              "options",
                                              "application_name",
                                              "keepalives",
                                              "keepalives_idle",
                                              "tcp_user_timeout",
                                              "keepalives_interval",
                                              "keepalives_count",
                                              "connect_timeout",
                                              "ssl_min_protocol_version",
                                              "ssl_max_protocol_version",
                                              "target_session_attrs",
                                              "fallback_application_name"};
  return names;
}
constexpr std::array<std::string_view, 2> not_for_here{"replication", "client_encoding"};

const std::vector<std::string>& ssl_modes() {
  static const std::vector<std::string> words{"disable", "allow",     "prefer",
                                              "require", "verify-ca", "verify-full"};
  return words;
}

struct Parameter {
  std::string_view name;
  std::string_view value;
};

/// Where the parts stand in the text.
struct Parts {
  std::string_view credentials;  // without the @
  std::string_view authority;    // hosts and ports
  std::vector<Parameter> parameters;
};

std::string_view scheme_of(std::string_view url) {
  for (const std::string_view scheme : schemes) {
    if (url.starts_with(scheme)) return url.substr(0, scheme.size());
  }
  return {};
}

bool are_digits(std::string_view text) {
  return !text.empty() && text.size() <= 5 &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// host, host:port, [v6] or [v6]:port; the port, or "" if there is none.
std::string_view port_of(std::string_view host) {
  const std::size_t colon = host.rfind(':');
  if (colon == std::string_view::npos || host.find(']', colon) != std::string_view::npos) return {};
  return host.substr(colon);
}

template <typename Each>
void split(std::string_view text, char by, const Each& each) {
  while (true) {
    const std::size_t end = text.find(by);
    each(text.substr(0, end));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

std::optional<std::string> wrong_hosts(std::string_view hosts) {
  std::optional<std::string> wrong;
  split(hosts, ',', [&](std::string_view host) {
    const std::string_view port = port_of(host);
    if (wrong || port.empty()) return;
    const std::string_view digits = port.substr(1);
    if (!are_digits(digits) || std::stoi(std::string(digits)) < 1 ||
        std::stoi(std::string(digits)) > 65'535) {
      wrong = "has a port that is not a number from 1 to 65535";
    }
  });
  return wrong;
}

/// The credentials are what stands before the @, which libpq looks for before the first slash. A
/// password with a slash of its own is a mistake, and must not be shown as a host.
Parts parts_of(std::string_view url) {
  Parts parts;
  std::string_view rest = url.substr(scheme_of(url).size());
  const std::size_t slash = rest.find('/');
  std::size_t at = rest.substr(0, slash).rfind('@');
  if (at == std::string_view::npos && wrong_hosts(rest.substr(0, rest.find_first_of("/?")))) {
    at = rest.rfind('@');
  }
  if (at != std::string_view::npos) {
    parts.credentials = rest.substr(0, at);
    rest.remove_prefix(at + 1);
  }
  parts.authority = rest.substr(0, rest.find_first_of("/?"));
  const std::size_t question = rest.find('?');
  if (question == std::string_view::npos) return parts;
  split(rest.substr(question + 1), '&', [&](std::string_view one) {
    const std::size_t equals = one.find('=');
    parts.parameters.push_back({one.substr(0, equals), equals == std::string_view::npos
                                                           ? std::string_view()
                                                           : one.substr(equals + 1)});
  });
  return parts;
}

std::string_view password_in(std::string_view credentials) {
  const std::size_t colon = credentials.find(':');
  return colon == std::string_view::npos ? std::string_view() : credentials.substr(colon + 1);
}

bool holds_secret(const Parameter& parameter) {
  return parameter.name == "password" || parameter.name == "sslpassword";
}

bool is_hex(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool is_percent_encoded(std::string_view text) {
  for (std::size_t at = text.find('%'); at != std::string_view::npos; at = text.find('%', at + 1)) {
    if (at + 2 >= text.size() || !is_hex(text[at + 1]) || !is_hex(text[at + 2])) return false;
  }
  return true;
}

std::optional<std::string> wrong_parameter(const Parameter& parameter) {
  const std::string name(parameter.name);
  const auto& known = parameters();
  if (std::ranges::find(not_for_here, name) != not_for_here.end()) {
    return "has the parameter `" + name + "`, which onceproxy sets itself; remove it";
  }
  if (std::ranges::find(known, name) == known.end()) {
    const std::string meant = nearest(name, known);
    return "has a parameter " + quote(name) + " that libpq does not know" +
           (meant.empty() ? "" : "; did you mean \"" + meant + "\"?");
  }
  if (name == "sslmode" && std::ranges::find(ssl_modes(), parameter.value) == ssl_modes().end()) {
    return "has an unknown `sslmode`; it is one of " + one_of(ssl_modes());
  }
  if (name == "target_session_attrs" && parameter.value != "read-write" &&
      parameter.value != "primary") {
    return "has a `target_session_attrs` under which onceproxy could not write; it is read-write "
           "or primary";
  }
  if (name == "options" && parameter.value.find("synchronous_commit") != std::string_view::npos) {
    return "sets synchronous_commit; `durability` decides on it, so remove it from `options`";
  }
  return std::nullopt;
}

/// In the order in which they stand.
std::vector<std::string_view> secrets_in(std::string_view url) {
  const Parts parts = parts_of(url);
  std::vector<std::string_view> secrets{password_in(parts.credentials)};
  for (const Parameter& parameter : parts.parameters) {
    if (holds_secret(parameter)) secrets.push_back(parameter.value);
  }
  std::erase_if(secrets, [](std::string_view secret) { return secret.empty(); });
  return secrets;
}

bool names_a_host(const Parts& parts) {
  return !parts.authority.empty() || std::ranges::any_of(parts.parameters, [](const auto& one) {
    return one.name == "host" || one.name == "hostaddr" || one.name == "service";
  });
}

}  // namespace

bool is_postgres_url(std::string_view text) {
  return !scheme_of(text).empty();
}

std::optional<std::string> not_a_postgres_url(std::string_view url) {
  if (!is_postgres_url(url)) {
    const bool keywords = url.find("host=") != std::string_view::npos ||
                          url.find("dbname=") != std::string_view::npos;
    return std::string(keywords ? "is a list of keywords and values; write it as a URL such as "
                                : "is not a URL such as ") +
           std::string(example);
  }
  if (!std::ranges::all_of(url, [](char c) { return c > ' ' && c <= '~'; })) {
    return "has a character that a URL must write percent-encoded";
  }
  if (!is_percent_encoded(url)) return "has a % that two hexadecimal digits do not follow";
  const Parts parts = parts_of(url);
  if (!names_a_host(parts)) return "names no host; write one such as " + std::string(example);
  if (password_in(parts.credentials).find_first_of("/@") != std::string_view::npos) {
    return "has a / or @ in its password; write them as %2F and %40";
  }
  if (auto wrong = wrong_hosts(parts.authority)) return wrong;
  for (const Parameter& parameter : parts.parameters) {
    if (auto wrong = wrong_parameter(parameter)) return wrong;
  }
  return std::nullopt;
}

bool has_password(std::string_view url) {
  const Parts parts = parts_of(url);
  const bool parameter = std::ranges::any_of(parts.parameters, [](const auto& one) {
    return one.name == "password" && !one.value.empty();
  });
  return parameter || !password_in(parts.credentials).empty();
}

std::string without_password(std::string_view url) {
  std::string out;
  std::size_t shown = 0;
  for (const std::string_view secret : secrets_in(url)) {
    const auto at = static_cast<std::size_t>(secret.data() - url.data());
    out += std::string(url.substr(shown, at - shown)) + std::string(hidden);
    shown = at + secret.size();
  }
  return out + std::string(url.substr(shown));
}

std::string mask_passwords(std::string_view text) {
  std::string out(text);
  for (std::size_t at = text.find(scheme_begin); at != std::string_view::npos;
       at = text.find(scheme_begin, at + 1)) {
    const std::string_view url = text.substr(at, text.find_first_of(" \t\"'", at) - at);
    if (!is_postgres_url(url)) continue;
    for (const std::string_view secret : secrets_in(url)) {
      const auto begin = static_cast<std::size_t>(secret.data() - text.data());
      std::fill_n(out.begin() + static_cast<std::ptrdiff_t>(begin), secret.size(), '*');
    }
  }
  return out;
}

}  // namespace onceproxy::config
