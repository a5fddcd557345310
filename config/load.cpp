#include "config/load.hpp"

#include "config/listener_reader.hpp"
#include "config/reading.hpp"
#include "config/settings_reader.hpp"
#include "config/yaml.hpp"

namespace onceproxy::config {

tl::expected<Settings, std::vector<Problem>> load(std::string_view text, std::string_view file,
                                                  const Environment& environment) {
  // A byte order mark says nothing that UTF-8 leaves open, and would shift the first line.
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  const Kind<Settings>& kind = settings();
  Reading reading(text, file, kind.names);
  std::optional<Settings> value;
  if (const auto root = parse_yaml(text, environment, reading)) {
    value = kind.read(Node(reading, *root, ""));
  }
  if (value && !reading.has_problems()) return *std::move(value);
  return tl::unexpected(reading.take_problems());
}

tl::expected<policies::ListenerList, std::vector<Problem>> load_listeners(
    std::string_view text, std::string_view file, const Environment& environment) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  static const Kind<policies::ListenerList> kind = listener_list();
  Reading reading(text, file, kind.names);
  std::optional<policies::ListenerList> value;
  if (const auto root = parse_yaml(text, environment, reading)) {
    value = kind.read(Node(reading, *root, ""));
  }
  if (value && !reading.has_problems()) return *std::move(value);
  return tl::unexpected(reading.take_problems());
}

}  // namespace onceproxy::config
