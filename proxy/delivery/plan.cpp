#include "proxy/delivery/plan.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace onceproxy::delivery {

namespace {

/// Larger than any file of keys.
constexpr std::size_t key_file_bytes_max = 64 * 1024;

std::shared_ptr<const SigningKeys> read_keys(const std::string& path) {
  if (path.empty()) return nullptr;
  std::ifstream file(path, std::ios::binary);
  std::string text;
  text.resize(key_file_bytes_max + 1);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  const auto bytes = static_cast<std::size_t>(file.gcount());
  if (!file.is_open() || file.bad()) {
    throw std::runtime_error("delivery.signing.key_file: cannot read " + path);
  }
  if (bytes > key_file_bytes_max) {
    throw std::runtime_error("delivery.signing.key_file: " + path + " is larger than 64 KiB");
  }
  text.resize(bytes);
  auto keys = SigningKeys::read(text);
  if (!keys) throw std::runtime_error("delivery.signing.key_file: " + path + ": " + keys.error());
  return std::make_shared<const SigningKeys>(*std::move(keys));
}

}  // namespace

Plan::Plan(std::shared_ptr<const gate::Rules> rules, const ListenerLists& lists,
           const std::vector<Finishing>& finishing)
    : rules_(std::move(rules)) {
  for (const policies::Policy& policy : rules_->policies().policies()) {
    if (!policy.delivery) continue;
    const auto given = lists.find(policy.name);
    add(policy, given != lists.end() ? given->second : rules_->listeners(policy));
  }
  for (const policies::Policy& policy : rules_->policies().policies()) add_renamed(policy);
  for (const Finishing& each : finishing) add(each);
}

/// A policy that has the namespace of an earlier one is that policy under another name, unless the
/// earlier one is still there. Nobody else could tell what the upstream's answers mean.
void Plan::add_renamed(const policies::Policy& policy) {
  const std::string& earlier = policy.name_space;
  if (!policy.delivery || !policy.delivery->to_upstream || earlier.empty()) return;
  const auto has_that_name = [&](const policies::Policy& each) { return each.name == earlier; };
  if (std::ranges::any_of(rules_->policies().policies(), has_that_name)) return;
  const std::string upstream(policies::upstream_listener);
  const auto own = routes_.find(std::pair(policy.name, upstream));
  if (own != routes_.end()) routes_.try_emplace({earlier, upstream}, own->second);
}

void Plan::add(const policies::Policy& policy, std::shared_ptr<const policies::ListenerList> list) {
  const std::shared_ptr<const SigningKeys> keys = read_keys(policy.delivery->signing_key_file);
  for (const policies::Listener& listener : *list) {
    routes_.insert_or_assign({policy.name, listener.name}, Route{&policy, &listener, keys});
    listeners_.insert_or_assign(listener.name, Of{listener, true, {}});
  }
  lists_.push_back(std::move(list));
}

std::vector<store::DeliveryRoute> Plan::routes() const {
  std::vector<store::DeliveryRoute> out;
  out.reserve(routes_.size());
  for (const auto& [names, route] : routes_) out.push_back({names.first, names.second});
  return out;
}

/// If the configuration has a listener with the same name, that one is used.
void Plan::add(const Finishing& finishing) {
  const KeptListener& kept = finishing.kept;
  auto& [policy, listener] = finishing_.emplace_back();
  policy.name = kept.policy;
  policies::DeliveryRules rules;
  rules.signing_key_file = kept.signing_key_file;
  policy.delivery = std::make_shared<const policies::DeliveryRules>(std::move(rules));
  listener = kept.listener;
  const Of& of =
      listeners_.emplace(listener.name, Of{listener, false, finishing.unusable}).first->second;
  Route route{&policy, &listener, nullptr, of.unusable};
  try {
    route.keys = read_keys(kept.signing_key_file);
  } catch (const std::exception& error) {
    route.unusable = error.what();
  }
  routes_.emplace(std::pair(policy.name, listener.name), std::move(route));
}

const Route* Plan::route(std::string_view policy, std::string_view listener) const {
  const auto found = routes_.find(std::pair(std::string(policy), std::string(listener)));
  return found == routes_.end() ? nullptr : &found->second;
}

}  // namespace onceproxy::delivery
