// Work: the parts of the shared store that its operations use. All of them outlive the operations.
#pragma once

#include <atomic>
#include <functional>
#include <string_view>

#include "store/audit/log.hpp"
#include "store/clock.hpp"
#include "store/duplicates.hpp"
#include "store/ledger_limits.hpp"
#include "store/postgres/circuit.hpp"
#include "store/postgres/confirmer.hpp"
#include "store/postgres/holdings.hpp"
#include "store/postgres/observer.hpp"
#include "store/postgres/recent_answers.hpp"
#include "store/postgres/waits.hpp"
#include "store/waiting_room.hpp"

namespace onceproxy::store {

class EventWatch;
class Unwritten;

struct Work {
  const PostgresOptions& options;
  const PostgresTuning& tuning;
  const PostgresObserver& observer;
  const Clock& clock;
  PermitOwner& permits;
  /// Identifies this process among the instances.
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
  /// Who is told of new events.
  EventWatch& events;
  /// Null: there is no audit log.
  AuditLog* audit;
  /// Whether notifications are received. If not, waiting calls query the database more often.
  const std::atomic<bool>& hears;
  /// The server's settings may lose committed transactions.
  const std::atomic<bool>& unsafe;
  const std::atomic<bool>& closing;
  /// Counts a failed operation, and writes a log line at most once a second for each kind.
  std::function<void(std::string_view kind, std::string_view detail)> failed;
  LedgerLimits& ledger_limits;

  bool quorum() const { return options.durability == Durability::quorum; }
};

}  // namespace onceproxy::store
