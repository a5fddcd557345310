// Outcomes: the clients that wait until the listeners of an event have answered, for policies with
// `acknowledge: all` or `first`. The lines report each delivery that ends; earlier results are read
// from the ledger. So are the deliveries that other processes end: the ledger is read once a
// second for each client, or less often if many wait.
//
// Not thread-safe: used on the engine's loop.
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

/// The state of a delivery.
struct DeliveryNote {
  store::DeliveryState state = store::DeliveryState::pending;
  std::uint32_t attempts = 0;
  int status = 0;
  std::string error;
};

/// The answer with the state of each listener. `reached`: whether the condition of `acknowledge`
/// was met.
store::StoredAnswer outcome_answer(const store::Fingerprint& event, bool reached,
                                   const std::map<std::string, DeliveryNote>& listeners);

class Outcomes {
 public:
  using Time = std::chrono::steady_clock::time_point;

  Outcomes(store::Ledger& ledger, store::Loop& home) : ledger_(ledger), home_(home) {}

  /// Answers `call`, on its own loop, when the condition `how` is met for the newest event of
  /// `fingerprint`, or when its timeout has passed.
  void add(const store::Fingerprint& fingerprint, const policies::Acknowledge& how,
           store::Call<gate::Acknowledged>& call, Time now);
  void note(const store::DeliveryKey& key, const DeliveryNote& note);
  /// Reads the event's deliveries again, because another process has ended one of them.
  void read_again(store::EventNumber event);
  /// Answers the calls whose timeout has passed.
  void tick(Time now);
  /// Answers all calls as if their timeouts had passed.
  void end_all() { tick(Time::max()); }
  std::size_t waiting() const { return waits_.size(); }
  /// Whether answers are being written to the ledger.
  bool busy() const { return writing_ > 0; }

 private:
  struct Wait {
    store::EventNumber event = 0;
    store::Fingerprint fingerprint;
    policies::Acknowledge how;
    Time until{};
    /// When the ledger was read last.
    Time read{};
    std::map<std::string, DeliveryNote> listeners;
    store::Call<gate::Acknowledged>* call = nullptr;
  };

  static bool reached(const Wait& wait);
  static bool all_ended(const Wait& wait);
  void read(Wait& wait);
  io::Task<void> answer(Wait wait);

  store::Ledger& ledger_;
  store::Loop& home_;
  std::list<Wait> waits_;
  std::size_t writing_ = 0;
};

}  // namespace onceproxy::delivery
