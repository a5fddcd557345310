// ListenersWait: the answer to a request that was stored to be delivered. Where its policy
// acknowledges when the listeners have answered, the client waits for that, and so does the client
// of a duplicate; where the time is over, or nobody delivers, the answer is the one that the event
// was stored with.
// Not thread-safe: its worker's loop.
#pragma once

#include "policies/policy.hpp"
#include "proxy/gate/acknowledger.hpp"
#include "proxy/gate/answer.hpp"
#include "proxy/io/task.hpp"
#include "store/call.hpp"
#include "store/fingerprint.hpp"

namespace onceproxy::http {

class ListenersWait {
 public:
  /// `acknowledger` is looked at as each wait begins; null: nobody delivers. `home`: the loop.
  ListenersWait(gate::Acknowledger* const& acknowledger, store::Loop& home)
      : acknowledger_(acknowledger), home_(home) {}

  /// Whether requests of the policy wait.
  static bool waits(const policies::Policy& policy) {
    return policy.delivery &&
           policy.delivery->acknowledge.when != policies::Acknowledge::When::stored;
  }
  /// `stored`: what the event was stored with.
  io::Task<gate::Answer> answer(const policies::Policy& policy,
                                const store::Fingerprint& fingerprint, gate::Answer stored) const;

 private:
  gate::Acknowledger* const& acknowledger_;
  store::Loop& home_;
};

}  // namespace onceproxy::http
