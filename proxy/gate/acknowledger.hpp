// Acknowledger: where a front waits until the listeners of a stored request have answered, for
// policies that say `acknowledge: all` or `first`. Implemented by the delivery engine, which sends
// the events; the gate and the fronts know no more of it than this.
// Thread-safe; calls are answered on their loops, as those of the store are.
#pragma once

#include <optional>

#include "policies/delivery.hpp"
#include "store/answer.hpp"
#include "store/call.hpp"
#include "store/fingerprint.hpp"

namespace onceproxy::gate {

struct Acknowledged {
  /// What the request and its duplicates are answered: it names each listener's state. The engine
  /// has stored it (Ledger::acknowledge). Absent: the answer that the event was stored with stands.
  std::optional<store::StoredAnswer> answer;
};

class Acknowledger {
 public:
  /// Waits as `how` says, from when the event was stored, for the newest event of that fingerprint:
  /// also for a duplicate, which so gets the same answer as the first. Not longer than
  /// `how.timeout`; an event that was acknowledged already is answered at once. True when
  /// `call.result` is set already; then `call.resume` is never called.
  [[nodiscard]] virtual bool wait(const store::Fingerprint& fingerprint,
                                  const policies::Acknowledge& how,
                                  store::Call<Acknowledged>& call) = 0;

 protected:
  ~Acknowledger() = default;
};

}  // namespace onceproxy::gate
