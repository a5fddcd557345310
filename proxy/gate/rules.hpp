// Rules: the policies of one configuration, together with their number in the metrics, their
// current enforcement, and the turns of their requests. A request keeps the Rules that admitted it
// until it is answered.
//
// It makes no decisions; see gate.hpp. Thread-safety: immutable and shared, except for the
// enforcement, which any thread may read and set.
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
  /// `before`: the previous Rules. A policy keeps its turns under its name; its new limit applies
  /// from take_effect() on.
  /// Changes by an operator are not kept. `notes`: where observations of forwards are kept across
  /// restarts; nullptr: they are not kept.
  Rules(std::vector<policies::Policy> policies, telemetry::Metrics& metrics,
        const Rules* before = nullptr, const store::Notes* notes = nullptr);

  /// These Rules are in force from now on: the limits of requests under way, which all Rules share,
  /// become theirs. Rules that are never put in force change nothing for others.
  void take_effect() const { turns_->limit(policies_.policies()); }

  const policies::PolicySet& policies() const { return policies_; }
  /// How long the store may keep a record of any of these policies.
  std::chrono::milliseconds remembered_max() const { return remembered_max_; }

  // `policy` is one of these policies, or one of their overrides.
  telemetry::PolicyId id(const policies::Policy& policy) const { return states_[policy.index].id; }
  /// The enforcement in the configuration, or the later change by an operator.
  policies::Enforcement enforcement(const policies::Policy& policy) const;
  void enforce(const policies::Policy& policy, policies::Enforcement enforcement);
  /// The limit of this policy's requests under way; nullptr if there is none. Valid as long as the
  /// Rules.
  io::Slots* turns(const policies::Policy& policy) const {
    return states_[policy.index].turns.get();
  }
  /// Whether a completion of this or another policy may end its operations.
  bool may_be_ended(const policies::Policy& policy) const {
    return states_[policy.index].may_be_ended;
  }
  /// The lease that a reservation gets now.
  std::chrono::milliseconds lease(const policies::Policy& policy) const;
  /// The measured durations of the policy's forwards; nullptr if the policy has no adaptive lease.
  /// Valid as long as the Rules.
  LeaseEstimate* estimate(const policies::Policy& policy) const {
    return states_[policy.index].estimate.get();
  }
  /// The listeners that get the policy's events now. With `listeners_file` they come from the last
  /// valid content of the file. Not nullptr for a policy with `delivery`, nullptr for others.
  std::shared_ptr<const policies::ListenerList> listeners(const policies::Policy& policy) const;
  /// Sets the content of the policy's `listeners_file`.
  void keep_listeners(const policies::Policy& policy,
                      std::shared_ptr<const policies::ListenerList> listeners) const;
  /// Stores the observations.
  void keep_estimates(store::Notes& notes) const;
  /// The number of turns in use, of all policies, including those of earlier Rules. Takes a lock.
  std::size_t turns_in_use() const { return turns_->in_use(); }

 private:
  /// The limit of each policy by name, shared by all Rules that follow one another. A limit also
  /// counts the requests of earlier Rules, including those of a policy that was removed and added
  /// again.
  class Turns {
   public:
    /// The turns of each policy, in order; nullptr if it has no limit. Existing turns keep their
    /// limit.
    std::vector<std::shared_ptr<io::Slots>> of(const std::vector<policies::Policy>& policies);
    /// Sets the limit of each policy, and removes the limit of policies that no longer have one.
    void limit(const std::vector<policies::Policy>& policies);
    std::size_t in_use();

   private:
    std::mutex mutex_;
    std::map<std::string, std::weak_ptr<io::Slots>, std::less<>> by_name_;
  };

  /// The observations of each policy's forwards by name, shared by all Rules that follow one
  /// another.
  class Estimates {
   public:
    std::shared_ptr<LeaseEstimate> of(const policies::Policy& policy, const store::Notes* notes);

   private:
    std::mutex mutex_;
    std::map<std::string, std::weak_ptr<LeaseEstimate>, std::less<>> by_name_;
  };

  /// The listeners of each policy's `listeners_file`, shared by all Rules that follow one another
  /// as long as they name the same file.
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
    /// nullptr if the policy has no `delivery`.
    std::shared_ptr<Listeners> listeners;
    bool may_be_ended = false;
    /// Mode and percent in one word, so that they are always read together.
    std::atomic<std::uint32_t> enforcement = 0;
  };

  const policies::PolicySet policies_;
  std::chrono::milliseconds remembered_max_{0};
  const std::shared_ptr<Turns> turns_;
  const std::shared_ptr<Estimates> estimates_;
  /// Indexed by policy.
  std::vector<PolicyState> states_;
};

}  // namespace onceproxy::gate
