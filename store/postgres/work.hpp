// Work: what every verb of the shared store works on. All of it outlives the verbs.
#pragma once

#include <atomic>
#include <functional>
#include <string_view>

#include "store/audit/log.hpp"
#include "store/clock.hpp"
#include "store/duplicates.hpp"
#include "store/postgres/circuit.hpp"
#include "store/postgres/confirmer.hpp"
#include "store/postgres/holdings.hpp"
#include "store/postgres/observer.hpp"
#include "store/postgres/recent_answers.hpp"
#include "store/postgres/waits.hpp"
#include "store/waiting_room.hpp"

namespace onceproxy::store {

class Unwritten;

struct Work {
  const PostgresOptions& options;
  const PostgresTuning& tuning;
  const PostgresObserver& observer;
  const Clock& clock;
  PermitOwner& permits;
  /// This process, among the instances.
  const Nonce instance;
  Counters& counters;
  Circuit& circuit;
  Holdings& holdings;
  RecentAnswers& recent;
  /// For outcomes, by fingerprint; for turns, by entity.
  Waits& outcomes;
  Waits& turns;
  WaitingRoom& room;
  Confirmer& confirmer;
  Unwritten& retained;
  Duplicates& duplicates;
  /// Null: there is none.
  AuditLog* audit;
  /// What stands in the way of a look each `poll`: nothing, where notifications come.
  const std::atomic<bool>& hears;
  /// The server's settings may lose committed transactions.
  const std::atomic<bool>& unsafe;
  const std::atomic<bool>& closing;
  /// An operation failed; counts it, and tells the log now and then.
  std::function<void(std::string_view kind, std::string_view detail)> failed;

  bool quorum() const { return options.durability == Durability::quorum; }
};

}  // namespace onceproxy::store
