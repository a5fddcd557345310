// KeptListeners: the listeners of policies that say `removed_listeners: finish`, as each was
// configured last, kept in the store's notes: so that what is pending for one that the
// configuration does not name any more is delivered, also by a later process, and where its policy
// is gone or has another name. One is let go when nothing of its is pending, or a dead letter, any
// more, or when its policy says `remove` again.
//
// A configuration waits until its listeners are on the disk, about a second where one is new or has
// changed: an event that is accepted for a listener finds it in a later process as well.
// Not thread-safe: who reloads, and who looks, take turns.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "policies/policy.hpp"
#include "proxy/delivery/kept_listener.hpp"
#include "proxy/delivery/plan.hpp"
#include "store/ledger.hpp"
#include "store/notes.hpp"

namespace onceproxy::delivery {

class KeptListeners {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// How long one is kept at least once it is named no more: events that were accepted under an
  /// earlier configuration may still be stored for it.
  static constexpr std::chrono::hours stay{1};

  struct Entry {
    KeptListener kept;
    /// The configuration names it.
    bool named = true;
    /// Since when it does not.
    Time left{};
  };
  /// By the names of policy and listener.
  using Entries = std::map<std::pair<std::string, std::string>, Entry>;

  /// Both outlive it. Without `notes` nothing outlives the process.
  KeptListeners(store::Notes* notes, const store::Ledger& ledger, Time now);

  /// What is kept under another configuration. `lists`: what the policies' files of listeners say.
  /// Throws std::runtime_error, with a message for an operator, where a listener cannot be kept;
  /// nothing that was kept is let go before adopt().
  Entries prepare(const std::vector<policies::Policy>& policies, const ListenerLists& lists,
                  Time now) const;
  /// It is in force.
  void adopt(Entries next);

  /// What is to be finished.
  static std::vector<KeptListener> finishing(const Entries& entries);

  /// Lets go of what is finished, looking once a minute. True: there was some.
  bool look(Time now);

 private:
  void forget(const Entries::key_type& key);

  store::Notes* const notes_;
  const store::Ledger& ledger_;
  Entries entries_;
  Time next_look_{};
};

}  // namespace onceproxy::delivery
