// Outcomes: those who wait until the listeners of an event have answered, for policies that
// acknowledge when all or some were notified. What they wait for is told as each delivery ends;
// what had ended before is read from the ledger.
//
// Not thread-safe: the engine's loop.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <map>
#include <optional>
#include <string>

#include "policies/delivery.hpp"
#include "proxy/gate/acknowledger.hpp"
#include "proxy/io/awaited_call.hpp"
#include "proxy/io/task.hpp"
#include "store/ledger.hpp"

namespace onceproxy::delivery {

/// What became of a delivery so far.
struct DeliveryNote {
  store::DeliveryState state = store::DeliveryState::pending;
  std::uint32_t attempts = 0;
  int status = 0;
  std::string error;
};

/// The answer that names each listener's state. `reached`: what was waited for has happened.
store::StoredAnswer outcome_answer(const store::Fingerprint& event, bool reached,
                                   const std::map<std::string, DeliveryNote>& listeners);

class Outcomes {
 public:
  using Time = std::chrono::steady_clock::time_point;

  Outcomes(store::Ledger& ledger, store::Loop& home) : ledger_(ledger), home_(home) {}

  /// `call` is answered, on its own loop, when the newest event of `fingerprint` is where `how`
  /// wants it, or the time is over.
  void add(const store::Fingerprint& fingerprint, const policies::Acknowledge& how,
           store::Call<gate::Acknowledged>& call, Time now);
  void note(const store::DeliveryKey& key, const DeliveryNote& note);
  /// Ends those whose time is over.
  void tick(Time now);
  /// Ends all as if their time were over.
  void end_all() { tick(Time::max()); }
  std::size_t waiting() const { return waits_.size(); }
  /// Answers are being written to the ledger.
  bool busy() const { return writing_ > 0; }

 private:
  struct Wait {
    store::EventNumber event = 0;
    store::Fingerprint fingerprint;
    policies::Acknowledge how;
    Time until{};
    std::map<std::string, DeliveryNote> listeners;
    store::Call<gate::Acknowledged>* call = nullptr;
  };

  static bool reached(const Wait& wait);
  static bool all_ended(const Wait& wait);
  io::Task<void> answer(Wait wait);

  store::Ledger& ledger_;
  store::Loop& home_;
  std::list<Wait> waits_;
  std::size_t writing_ = 0;
};

}  // namespace onceproxy::delivery
