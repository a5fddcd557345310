#include "proxy/listener_files.hpp"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <utility>

#include "config/load.hpp"
#include "proxy/cli/read_file.hpp"
#include "proxy/start_failure.hpp"
#include "proxy/telemetry/log.hpp"

namespace onceproxy {

namespace {

using List = ListenerFiles::List;

tl::expected<List, std::vector<config::Problem>> parse(const std::string& text,
                                                       const std::string& path) {
  auto list = config::load_listeners(text, path, config::process_environment());
  if (!list) return tl::unexpected(std::move(list.error()));
  return std::make_shared<const policies::ListenerList>(*std::move(list));
}

}  // namespace

delivery::ListenerLists ListenerFiles::read(const std::vector<policies::Policy>& policies) {
  delivery::ListenerLists lists;
  for (const policies::Policy& policy : policies) {
    if (!policy.delivery || policy.delivery->listeners_file.empty()) continue;
    const std::string& path = policy.delivery->listeners_file;
    const auto text = cli::read_file(path);
    if (!text) throw std::runtime_error("delivery.listeners_file: " + text.error());
    const auto list = parse(*text, path);
    if (!list) {
      throw std::runtime_error("delivery.listeners_file: " + list.error().front().text());
    }
    lists[policy.name] = *list;
  }
  return lists;
}

void ListenerFiles::adopt(const std::vector<policies::Policy>& policies,
                          const delivery::ListenerLists& lists) {
  files_.clear();
  for (const policies::Policy& policy : policies) {
    if (!policy.delivery || policy.delivery->listeners_file.empty()) continue;
    const std::string& path = policy.delivery->listeners_file;
    files_.try_emplace(path, path).first->second.policies.push_back(policy.name);
  }
  lists_ = read_ = lists;
}

bool ListenerFiles::in_force(const std::string& policy, const List& list) const {
  const auto found = lists_.find(policy);
  return found != lists_.end() && found->second && *found->second == *list;
}

delivery::ListenerLists ListenerFiles::look() {
  for (auto& [path, file] : files_) {
    const FileWatch::Seen seen = file.watch.look();
    if (seen == FileWatch::Seen::gone) {
      telemetry::log(
          telemetry::LogLevel::warn,
          "a file of listeners is missing; the listeners that were read last stay active",
          {{"file", std::string_view(path)}});
    }
    if (seen != FileWatch::Seen::changed) continue;
    auto text = cli::read_file(path);
    if (!text || *text == file.text) continue;
    file.text = *std::move(text);
    const auto list = parse(file.text, path);
    if (!list) {
      log_problems(list.error());
      telemetry::log(
          telemetry::LogLevel::error,
          "a file of listeners is not valid; the listeners that were read last stay active",
          {{"file", std::string_view(path)}});
      continue;
    }
    for (const std::string& policy : file.policies) read_[policy] = *list;
  }
  const bool changed = std::ranges::any_of(
      read_, [&](const auto& each) { return !in_force(each.first, each.second); });
  return changed ? read_ : delivery::ListenerLists();
}

}  // namespace onceproxy
