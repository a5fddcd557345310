// Acknowledger: waits until the listeners of a stored request have answered, for policies with
// `acknowledge: all` or `first`. The delivery engine, which sends the events, implements it. The
// gate and its callers know only this interface. Thread-safe; calls are answered on their loops,
// like those of the store.
#pragma once

#include <optional>

#include "policies/delivery.hpp"
#include "store/answer.hpp"
#include "store/call.hpp"
#include "store/fingerprint.hpp"

namespace onceproxy::gate {

struct Acknowledged {
  /// The answer for the request and its duplicates, which contains each listener's state. The
  /// engine has stored it (Ledger::acknowledge). If it is absent, the answer that was stored with
  /// the event is used.
  std::optional<store::StoredAnswer> answer;
};

class Acknowledger {
 public:
  /// Waits for the newest event of this fingerprint as `how` requires, at most for `how.timeout`.
  /// Also for a duplicate that arrives before the first request was answered, which then gets the
  /// same answer. Returns true if `call.result` is already set; `call.resume` is not called in this
  /// case.
  [[nodiscard]] virtual bool wait(const store::Fingerprint& fingerprint,
                                  const policies::Acknowledge& how,
                                  store::Call<Acknowledged>& call) = 0;

 protected:
  ~Acknowledger() = default;
};

}  // namespace onceproxy::gate
