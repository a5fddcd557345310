#include "config/ports.hpp"

#include <algorithm>

#include "config/admin_reader.hpp"
#include "config/tls_reader.hpp"
#include "config/yaml.hpp"

namespace onceproxy::config {
namespace {

bool is_of_ports(std::string_view path) {
  return path == "admin" || path.starts_with("admin.") || path == "telemetry" ||
         path.starts_with("telemetry.");
}

/// The lines of the sections `admin` and `telemetry`; the others are left empty, so that places
/// stay what they are.
std::string sections_of_ports(std::string_view text) {
  std::string out;
  bool inside = false;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    const bool begins = !line.empty() && line.front() != ' ' && line.front() != '#';
    if (begins) inside = line.starts_with("admin:") || line.starts_with("telemetry:");
    if (inside) out += line;
    out += '\n';
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

bool has_ports(const Node& document) {
  return document.get("admin") || document.get("telemetry");
}

/// Problems if one of the two sections is given and has no address that can be read.
tl::expected<Ports, std::vector<Problem>> read(const Node& document) {
  Ports ports;
  bool good = true;
  if (const auto admin = document.get("admin")) {
    Settings settings;
    admin_row().read(*admin, settings);
    good = settings.admin.has_value();
    ports.admin = std::move(settings.admin);
    ports.admin_token_file = std::move(settings.admin_token_file);
    ports.admin_read_token_file = std::move(settings.admin_read_token_file);
  }
  if (const auto telemetry = document.get("telemetry")) {
    const auto listen = telemetry->get("listen");
    if (listen) ports.telemetry = listen_address().read(*listen);
    if (!listen) telemetry->problem("`listen` is missing");
    good = good && ports.telemetry.has_value();
  }
  if (good) return ports;
  std::vector<Problem> problems = document.reading().take_problems();
  std::erase_if(problems, [](const Problem& problem) { return !is_of_ports(problem.path); });
  return tl::unexpected(std::move(problems));
}

}  // namespace

tl::expected<Ports, std::vector<Problem>> load_ports(std::string_view text, std::string_view file,
                                                     const Environment& environment) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  Reading whole(text, file, {});
  const auto root = parse_yaml(text, environment, whole);
  if (root) {
    if (const Node document(whole, *root, ""); has_ports(document)) return read(document);
  }
  // Also if it seems to have none: yaml-cpp takes a quote that is not closed for the rest of the
  // file.
  const std::string sections = sections_of_ports(text);
  Reading parts(sections, file, {});
  if (const auto found = parse_yaml(sections, environment, parts)) {
    return read(Node(parts, *found, ""));
  }
  if (root) return Ports{};
  return tl::unexpected(whole.take_problems());
}

}  // namespace onceproxy::config
