#include "proxy/cli/listener_files.hpp"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "proxy/cli/read_file.hpp"

namespace onceproxy::cli {

TlsFindings check_listener_files(const config::Settings& settings, const std::string& config_file) {
  TlsFindings found;
  std::set<std::string> known;
  for (std::size_t i = 0; i < settings.policies.size(); ++i) {
    const auto& delivery = settings.policies[i].delivery;
    if (!delivery || delivery->listeners_file.empty()) continue;
    const std::string& path = delivery->listeners_file;
    if (!known.insert(path).second) continue;
    const auto text = read_file(path);
    if (!text) {
      const std::string place = "policies[" + std::to_string(i) + "].delivery.listeners_file";
      found.problems.push_back({config_file, 0, 0, place, text.error(), ""});
      continue;
    }
    auto listeners = config::load_listeners(*text, path, config::process_environment());
    if (!listeners) {
      std::ranges::move(listeners.error(), std::back_inserter(found.problems));
      continue;
    }
    TlsFindings of_tls = check_listener_tls(*listeners, "", path);
    std::ranges::move(of_tls.problems, std::back_inserter(found.problems));
    std::ranges::move(of_tls.notes, std::back_inserter(found.notes));
  }
  return found;
}

}  // namespace onceproxy::cli
