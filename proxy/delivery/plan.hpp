// Plan: the listeners of each policy in one configuration. A reload or a changed listeners_file
// creates a new plan. An attempt uses the plan that is active when it begins. Thread-safe:
// immutable and shared.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policies/delivery.hpp"
#include "policies/policy.hpp"
#include "proxy/delivery/kept_listener.hpp"
#include "proxy/delivery/signing.hpp"
#include "proxy/gate/rules.hpp"
#include "store/ledger.hpp"

namespace onceproxy::delivery {

/// The content of the listeners_file of each policy, by the policy's name.
using ListenerLists =
    std::map<std::string, std::shared_ptr<const policies::ListenerList>, std::less<>>;

/// How events of one policy are sent to one listener.
struct Route {
  const policies::Policy* policy = nullptr;
  /// Points into `list`.
  const policies::Listener* listener = nullptr;
  std::shared_ptr<const SigningKeys> keys;
  /// The reason why nothing can be sent on this route, as a sentence. Empty if it can.
  std::string unusable = {};
};

class Plan {
 public:
  /// A route that the configuration does not name any more, but that still has deliveries.
  struct Finishing {
    KeptListener kept;
    /// The reason why the listener cannot be reached, as a sentence. Empty if it can.
    std::string unusable = {};
  };

  /// `lists`: replaces the listeners in the rules for the policies that it contains. Throws
  /// std::runtime_error, with a message for the operator, if a key file of the rules cannot be
  /// used.
  explicit Plan(std::shared_ptr<const gate::Rules> rules, const ListenerLists& lists = {},
                const std::vector<Finishing>& finishing = {});

  /// Returns nullptr if this configuration sends no events of that policy to that listener.
  const Route* route(std::string_view policy, std::string_view listener) const;

  /// One entry for each listener. The values that belong to the listener (address, tls,
  /// concurrency, rate) are the same in all policies.
  struct Of {
    policies::Listener listener;
    /// Whether the configuration names it. If not, only its pending deliveries are finished.
    bool configured = true;
    /// As in Finishing.
    std::string unusable = {};
  };
  const std::map<std::string, Of, std::less<>>& listeners() const { return listeners_; }
  const gate::Rules& rules() const { return *rules_; }
  /// Every policy with each of its listeners.
  std::vector<store::DeliveryRoute> routes() const;

 private:
  void add(const policies::Policy& policy, std::shared_ptr<const policies::ListenerList> list);
  void add_renamed(const policies::Policy& policy);
  void add(const Finishing& finishing);

  const std::shared_ptr<const gate::Rules> rules_;
  /// Keeps the lists alive to which the routes point.
  std::vector<std::shared_ptr<const policies::ListenerList>> lists_;
  std::map<std::pair<std::string, std::string>, Route, std::less<>> routes_;
  std::map<std::string, Of, std::less<>> listeners_;
  /// The same for routes that are being finished: a policy that has only a name, and the listener.
  std::deque<std::pair<policies::Policy, policies::Listener>> finishing_;
};

}  // namespace onceproxy::delivery
