// The backends that the ledger's tests run against. Each can be opened anew, and its time be moved
// on: RocksDB's by its clock, the database's by making everything that it holds older.
#pragma once

#include <memory>
#include <string>

#include "../postgres/postgres_server.hpp"
#include "../rocksdb/ledger_fixture.hpp"
#include "store/postgres/postgres_store.hpp"
#include "store/postgres/tuning.hpp"
#include "store/store_clock.hpp"

namespace onceproxy::store::testing {

#define ONCEPROXY_NEEDS_LEDGER()                                  \
  if (!TestType::available()) {                                   \
    WARN("skipped: the server of this backend is not installed"); \
    return;                                                       \
  }

struct RocksDbBase : Fixture {
  static constexpr bool is_shared = false;
  static bool available() { return true; }
  LedgerOptions& limits() { return options.ledger; }
  void remember_nothing() {}
  WallTime now() const { return clock.now(); }
  void advance(std::chrono::milliseconds by) { clock.advance(by); }
};

struct PostgresBase {
  static constexpr bool is_shared = true;
  static bool available() { return postgres_installed(); }

  StoreClock clock;
  DirectLoop loop;
  PostgresOptions options = PostgresServer::shared().options();
  PostgresTuning tuning = [] {
    PostgresTuning out;
    out.tick = 20ms;
    out.beat = 50ms;
    out.poll = 300ms;
    out.probe = 50ms;
    out.retained_pause = 100ms;
    out.reconnect_last = 200ms;
    out.others_patience = 0ms;
    out.takeover_after = 0ms;
    return out;
  }();
  PostgresObserver observer;
  std::unique_ptr<PostgresStore> store;

  ~PostgresBase() {
    if (store) store->close();
  }
  PostgresStore& open() {
    if (store) store->close();
    store = open_tuned(options, 1, tuning, clock, observer);
    std::vector<DeliveryRoute> routes;
    for (const char* const listener : {"a", "b", "c", "ab", "gone", "left"}) {
      routes.push_back({"dispatch", listener});
    }
    store->ledger()->follow(std::move(routes));
    return *store;
  }
  LedgerOptions& limits() { return options.ledger; }
  /// No answer is told from memory, where it may be a second older than the database.
  void remember_nothing() { tuning.recent = 0ms; }
  std::string sql(const std::string& statement) const {
    return PostgresServer::shared().sql("SET search_path = " + options.schema + "; " + statement);
  }
  WallTime now() const {
    return WallTime(std::chrono::milliseconds(std::stoll(sql("SELECT now_ms()"))));
  }
  void advance(std::chrono::milliseconds by) const {
    const std::string less = " - " + std::to_string(by.count());
    const auto older = [&](const std::string& table, std::initializer_list<const char*> columns,
                           const std::string& where = "true") {
      std::string set;
      for (const std::string column : columns) {
        set += (set.empty() ? "" : ", ") + column + " = " + column + less;
      }
      return "UPDATE " + table + " SET " + set + " WHERE " + where + ";";
    };
    sql("BEGIN;" + older("events", {"created", "ended", "purge_at"}) +
        older("deliveries", {"due", "last_attempt", "ended"}) +
        older("operations", {"created", "settled", "lease_ends"}) +
        older("operations", {"expires"}, "expires < open_event_expiry()") +
        older("entities", {"expires", "sequence_until", "closed_until"}) + "COMMIT");
  }

  ReserveResult reserve(const ReserveRequest& request) {
    Waiting<ReserveResult> call(loop);
    if (store->reserve(request, call)) return std::move(*call.result);
    return std::move(call.wait());
  }
  Permit permit(const ReserveRequest& request) {
    ReserveResult result = reserve(request);
    auto* const reserved = std::get_if<Reserved>(&result);
    if (reserved == nullptr) {
      throw std::runtime_error("not reserved but answer " + std::to_string(result.index()));
    }
    return std::move(reserved->permit);
  }
  Settled complete(Permit permit, StoredAnswer answer) {
    Waiting<Settled> call(loop);
    if (store->complete(std::move(permit), std::move(answer), call)) return *call.result;
    return call.wait();
  }
  Settled release(Permit permit) {
    Waiting<Settled> call(loop);
    if (store->release(std::move(permit), {503, {}}, call)) return *call.result;
    return call.wait();
  }
};

using RocksDbLedgerBackend = LedgerVerbs<RocksDbBase>;
using PostgresLedgerBackend = LedgerVerbs<PostgresBase>;

/// Attempts as soon as no operation has the entity's turn: a shared ledger says Taken meanwhile.
template <typename Backend>
BeginResult begin_in_turn(Backend& backend, EventNumber event, const std::string& listener) {
  for (;;) {
    BeginResult result = backend.begin(event, listener);
    if (!std::holds_alternative<Taken>(result)) return result;
    std::this_thread::yield();
  }
}

/// As near as a test takes from one statement to the next.
inline bool about(std::optional<WallTime> time, WallTime expected) {
  return time && *time <= expected + 20s && *time >= expected - 20s;
}

}  // namespace onceproxy::store::testing
