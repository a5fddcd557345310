// Plan: where each policy's events go, as one configuration says. A reload, or a listeners_file
// that changes, makes another one; deliveries look at the one in force as each attempt begins.
// Thread-safe: immutable and shared.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policies/delivery.hpp"
#include "policies/policy.hpp"
#include "proxy/delivery/signing.hpp"
#include "proxy/gate/rules.hpp"

namespace onceproxy::delivery {

/// By the name of the policy: what its listeners_file says.
using ListenerLists =
    std::map<std::string, std::shared_ptr<const policies::ListenerList>, std::less<>>;

/// How the events of one policy go to one listener.
struct Route {
  const policies::Policy* policy = nullptr;
  /// Of `list`.
  const policies::Listener* listener = nullptr;
  std::shared_ptr<const SigningKeys> keys;
};

class Plan {
 public:
  /// `lists`: of the policies that are in it, in place of what the rules know. Throws
  /// std::runtime_error, with a message for an operator, where a key file cannot be used.
  explicit Plan(std::shared_ptr<const gate::Rules> rules, const ListenerLists& lists = {});

  /// nullptr: this configuration sends no events of that policy to that listener.
  const Route* route(std::string_view policy, std::string_view listener) const;

  /// One entry a listener, however many policies name it: what is the listener's own (address,
  /// concurrency, rate) is the same in all of them.
  const std::map<std::string, policies::Listener, std::less<>>& listeners() const {
    return listeners_;
  }
  const gate::Rules& rules() const { return *rules_; }

 private:
  void add(const policies::Policy& policy, std::shared_ptr<const policies::ListenerList> list);

  const std::shared_ptr<const gate::Rules> rules_;
  /// Keeps what the routes point to.
  std::vector<std::shared_ptr<const policies::ListenerList>> lists_;
  std::map<std::pair<std::string, std::string>, Route, std::less<>> routes_;
  std::map<std::string, policies::Listener, std::less<>> listeners_;
};

}  // namespace onceproxy::delivery
