#include "config/delivery_checks.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace onceproxy::config {
namespace {

using policies::Listener;
using policies::ListenerList;
using policies::Policy;

std::string named(std::size_t index, const Policy& policy) {
  const std::string place = "policies[" + std::to_string(index) + "]";
  return policy.name.empty() ? place : place + " (" + policy.name + ")";
}

const Listener* find(const Policy& policy, const std::string& name) {
  if (policy.delivery == nullptr || policy.delivery->to_upstream) return nullptr;
  const ListenerList& all = *policy.delivery->listeners;
  const auto found = std::ranges::find(all, name, &Listener::name);
  return found == all.end() ? nullptr : &*found;
}

bool is_one(const Listener& a, const Listener& b) {
  return a.address == b.address && a.tls == b.tls && a.concurrency_max == b.concurrency_max &&
         a.rate == b.rate;
}

}  // namespace

void check_delivery(const Node& node, const Policy& policy) {
  if (policy.delivery == nullptr) return;
  const auto on_store_error = node.get("on_store_error");
  if (on_store_error && policy.on_store_error == policies::OnStoreError::forward) {
    on_store_error->problem(
        "forward cannot be combined with `delivery`, because an event that is not stored cannot be "
        "delivered; leave it out");
  }
}

void check_listeners(const Node& node, const std::vector<Policy>& policies) {
  const std::vector<Node> nodes = node.items();
  for (std::size_t i = 0; i < policies.size(); ++i) {
    const auto delivery = nodes[i].get("delivery");
    const auto list = delivery ? delivery->get("listeners") : std::nullopt;
    if (!list || policies[i].delivery == nullptr) continue;
    const std::vector<Node> items = list->items();
    const ListenerList& listeners = *policies[i].delivery->listeners;
    if (items.size() != listeners.size()) continue;
    for (std::size_t k = 0; k < items.size(); ++k) {
      for (std::size_t j = 0; j < i; ++j) {
        const Listener* const other = find(policies[j], listeners[k].name);
        if (other == nullptr || is_one(*other, listeners[k])) continue;
        const auto name = items[k].get("name");
        (name ? *name : items[k])
            .problem("`" + listeners[k].name + "` is another one in " + named(j, policies[j]) +
                     "; one name is one listener, with the same address, tls, max_concurrency "
                     "and rate");
        break;
      }
    }
  }
}

}  // namespace onceproxy::config
