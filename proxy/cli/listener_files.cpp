#include "proxy/cli/listener_files.hpp"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "proxy/cli/read_file.hpp"

namespace onceproxy::cli {

std::vector<config::Problem> check_listener_files(const config::Settings& settings,
                                                  const std::string& config_file) {
  std::vector<config::Problem> problems;
  std::set<std::string> known;
  for (std::size_t i = 0; i < settings.policies.size(); ++i) {
    const auto& delivery = settings.policies[i].delivery;
    if (!delivery || delivery->listeners_file.empty()) continue;
    const std::string& path = delivery->listeners_file;
    if (!known.insert(path).second) continue;
    const auto text = read_file(path);
    if (!text) {
      const std::string place = "policies[" + std::to_string(i) + "].delivery.listeners_file";
      problems.push_back({config_file, 0, 0, place, text.error(), ""});
      continue;
    }
    auto listeners = config::load_listeners(*text, path, config::process_environment());
    if (listeners) continue;
    std::ranges::move(listeners.error(), std::back_inserter(problems));
  }
  return problems;
}

}  // namespace onceproxy::cli
