// Rules: one configuration's policies, with what the running program keeps beside each: its number
// in the metrics, its enforcement as it is now, and the turns that its requests take. A request
// keeps the Rules that admitted it until it is answered.
//
// It decides nothing; gate.hpp does.
// Thread-safety: immutable and shared, but for the enforcement, which is read and set from any
// thread.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "policies/policy.hpp"
#include "policies/policy_set.hpp"
#include "proxy/gate/lease_estimate.hpp"
#include "proxy/io/slots.hpp"
#include "proxy/telemetry/metrics.hpp"
#include "store/notes.hpp"

namespace onceproxy::gate {

class Rules {
 public:
  /// `before`: the Rules that these follow. A policy's turns go on under its name, with the new
  /// limit; what an operator set does not.
  /// `notes`: where what was observed of forwards is kept across restarts; null: nowhere.
  Rules(std::vector<policies::Policy> policies, telemetry::Metrics& metrics,
        const Rules* before = nullptr, const store::Notes* notes = nullptr);

  const policies::PolicySet& policies() const { return policies_; }
  /// How long the store may remember a record of any of these policies.
  std::chrono::milliseconds remembered_max() const { return remembered_max_; }

  // `policy` is one of these policies, or an override of one.
  telemetry::PolicyId id(const policies::Policy& policy) const { return states_[policy.index].id; }
  /// As the configuration says, unless an operator said otherwise since.
  policies::Enforcement enforcement(const policies::Policy& policy) const;
  void enforce(const policies::Policy& policy, policies::Enforcement enforcement);
  /// What bounds this policy's requests under way; nullptr: nothing. Stays as long as the Rules.
  io::Slots* turns(const policies::Policy& policy) const {
    return states_[policy.index].turns.get();
  }
  /// Whether another policy's completion, or its own, may end the memory of its operations.
  bool may_be_ended(const policies::Policy& policy) const {
    return states_[policy.index].may_be_ended;
  }
  /// The lease that a reservation gets now.
  std::chrono::milliseconds lease(const policies::Policy& policy) const;
  /// How long the policy's forwards take; nullptr where no lease of the policy follows that. Stays
  /// as long as the Rules.
  LeaseEstimate* estimate(const policies::Policy& policy) const {
    return states_[policy.index].estimate.get();
  }
  /// To whom the policy's requests are delivered now: of a `listeners_file`, what it said last. Not
  /// null for a policy with `delivery`, null for others.
  std::shared_ptr<const policies::ListenerList> listeners(const policies::Policy& policy) const;
  /// What the policy's `listeners_file` says from now on.
  void keep_listeners(const policies::Policy& policy,
                      std::shared_ptr<const policies::ListenerList> listeners) const;
  /// Hands over what was observed, to be kept.
  void keep_estimates(store::Notes& notes) const;
  /// Turns taken, of all policies, those of earlier Rules included. Takes a lock.
  std::size_t turns_in_use() const { return turns_->in_use(); }

 private:
  /// What bounds each policy, by name, for all Rules that follow one another: a limit counts the
  /// requests of earlier Rules too, and a policy that comes back finds those still under way.
  class Turns {
   public:
    /// One for each policy, in order; nullptr where it has no limit. Forgets the names that no
    /// policy uses any more, and lifts the limit of those that have none now.
    std::vector<std::shared_ptr<io::Slots>> of(const std::vector<policies::Policy>& policies);
    std::size_t in_use();

   private:
    std::mutex mutex_;
    std::map<std::string, std::weak_ptr<io::Slots>, std::less<>> by_name_;
  };

  /// What was observed of each policy's forwards, by name, for all Rules that follow one another.
  class Estimates {
   public:
    std::shared_ptr<LeaseEstimate> of(const policies::Policy& policy, const store::Notes* notes);

   private:
    std::mutex mutex_;
    std::map<std::string, std::weak_ptr<LeaseEstimate>, std::less<>> by_name_;
  };

  /// The listeners of each policy's `listeners_file`, for all Rules that follow one another as long
  /// as they name the same file.
  class Listeners {
   public:
    explicit Listeners(std::shared_ptr<const policies::ListenerList> listeners)
        : listeners_(std::move(listeners)) {}
    std::shared_ptr<const policies::ListenerList> get() const {
      const std::lock_guard lock(mutex_);
      return listeners_;
    }
    void set(std::shared_ptr<const policies::ListenerList> listeners) {
      const std::lock_guard lock(mutex_);
      listeners_.swap(listeners);
    }

   private:
    mutable std::mutex mutex_;
    std::shared_ptr<const policies::ListenerList> listeners_;
  };
  std::shared_ptr<Listeners> listeners_of(const policies::Policy& policy, const Rules* before);

  struct PolicyState {
    telemetry::PolicyId id = telemetry::no_policy;
    std::shared_ptr<io::Slots> turns;
    std::shared_ptr<LeaseEstimate> estimate;
    /// Null where the policy has no `delivery`.
    std::shared_ptr<Listeners> listeners;
    bool may_be_ended = false;
    /// Mode and percent in one word, so that nobody sees the one without the other.
    std::atomic<std::uint32_t> enforcement = 0;
  };

  const policies::PolicySet policies_;
  std::chrono::milliseconds remembered_max_{0};
  const std::shared_ptr<Turns> turns_;
  const std::shared_ptr<Estimates> estimates_;
  /// By the policy's index.
  std::vector<PolicyState> states_;
};

}  // namespace onceproxy::gate
