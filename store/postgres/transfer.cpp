#include "store/postgres/transfer.hpp"

#include <atomic>
#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>

#include "store/postgres/connecting.hpp"
#include "store/postgres/pq.hpp"
#include "store/postgres/schema.hpp"
#include "store/postgres/transfer_rows.hpp"

namespace onceproxy::store {

using namespace transfer;
using std::chrono::nanoseconds;

class PostgresTransfer::Session {
 public:
  explicit Session(const PostgresOptions& options) : options_(options) {
    const std::string problem = schema_problem(schema_version(options), options);
    if (!problem.empty()) throw std::runtime_error(problem);
    static const std::atomic<bool> never{false};
    auto connected = connect(options, never);
    if (const auto* const error = std::get_if<ConnectError>(&connected)) {
      throw std::runtime_error("cannot connect to PostgreSQL: " + error->message);
    }
    connection_ = std::get<pq::ConnectionPtr>(std::move(connected));
    PQsetNoticeReceiver(connection_.get(), &Session::notice, this);
    run("SET search_path = " + quoted(connection_.get(), options.schema) + ", pg_temp");
    run("SET default_transaction_read_only = off");
    // Enables the warning that notice() waits for, whatever the role's setting is.
    run("SET client_min_messages = warning");
    // If this machine is lost, the server notices within a minute, and gives up the lock.
    run("SET tcp_keepalives_idle = 10");
    run("SET tcp_keepalives_interval = 10");
    run("SET tcp_keepalives_count = 3");
    run("SET idle_session_timeout = 0");
    // In this order: who starts looks at the lock and gives a sign of life.
    if (number(lock_for_move(options)) == 0) refuse_in_use_now();
    refuse_in_use();
  }

  /// Events stay with the store that has them: they would be lost. What has ended is seen to first,
  /// so that the records of its events expire when they should.
  void refuse_undelivered() {
    const auto retention = std::to_string(options_.ledger.dead_retention.count());
    // Removes nothing: only an instance that runs does.
    for (bool more = true; more; more = number("SELECT count(*) FROM looks") > 0) {
      run("SELECT tend_events(1000, 0, " + retention + ")");
    }
    const std::int64_t events = number("SELECT count(*) FROM events WHERE ended IS NULL");
    if (events == 0) return;
    throw std::runtime_error("the schema \"" + options_.schema + "\" has " +
                             std::to_string(events) +
                             " events that are not delivered to every listener; let onceproxy "
                             "deliver them, or drop them, before you move it");
  }

  pq::ResultPtr run(const std::string& statement) {
    return store::run(connection_.get(), statement, "the database refused");
  }
  std::int64_t number(const std::string& statement) {
    return std::stoll(PQgetvalue(run(statement).get(), 0, 0));
  }

  /// Reads a table page by page, in the order of its key, which is the first column.
  template <typename Each>
  void read(const char* statement, const Each& each) {
    std::string after;
    int rows = page_rows;
    while (rows == page_rows) {
      pq::Params params;
      params.bytes(after);
      const pq::ResultPtr page(PQexecParams(connection_.get(), statement, params.count(), nullptr,
                                            params.values(), params.lengths(), params.formats(),
                                            1));
      if (PQresultStatus(page.get()) != PGRES_TUPLES_OK) refuse();
      rows = PQntuples(page.get());
      for (int i = 0; i < rows; ++i) each(pq::Row(page.get(), i));
      if (rows > 0) after = pq::Row(page.get(), rows - 1).text(0);
    }
  }

  /// Inserts all or none of them, in one transaction and one round trip. Returns how many were new.
  template <typename Value>
  std::size_t write(const char* statement, std::span<const Value> values) {
    if (values.empty()) return 0;
    check_once();
    local_only_ = false;
    if (PQenterPipelineMode(connection_.get()) != 1) refuse();
    pq::ResultPtr failed;
    std::size_t added = 0;
    for (const Value& value : values) {
      pq::Params params;
      add(params, value);
      if (PQsendQueryParams(connection_.get(), statement, params.count(), nullptr, params.values(),
                            params.lengths(), params.formats(), 1) != 1) {
        refuse();
      }
    }
    if (PQpipelineSync(connection_.get()) != 1) refuse();
    for (bool open = true; open;) {
      pq::ResultPtr result(PQgetResult(connection_.get()));
      if (result == nullptr) {
        if (PQstatus(connection_.get()) == CONNECTION_BAD) refuse();
        continue;  // between two statements
      }
      const auto status = PQresultStatus(result.get());
      open = status != PGRES_PIPELINE_SYNC;
      if (status == PGRES_COMMAND_OK) {
        added += PQcmdTuples(result.get()) == std::string_view("1") ? 1 : 0;
      } else if (status == PGRES_FATAL_ERROR && failed == nullptr) {
        failed = std::move(result);
      }
    }
    PQexitPipelineMode(connection_.get());
    if (failed) throw std::runtime_error(pq::trimmed(PQresultErrorMessage(failed.get())));
    if (local_only_) {
      throw std::runtime_error(
          "no standby confirmed the last records that were moved; run the command again");
    }
    return added;
  }

 private:
  [[noreturn]] void refuse_in_use_now() const {
    throw std::runtime_error("the schema \"" + options_.schema +
                             "\" is in use by another `onceproxy store move`, or by an onceproxy "
                             "that is starting");
  }

  /// How long the sign of life of a process that was killed counts.
  void refuse_in_use() {
    // A later one is from before the clock was set back.
    if (number("SELECT count(*) FROM instances WHERE seen BETWEEN now_ms() - 10000 AND now_ms() + "
               "10000") == 0) {
      return;
    }
    throw std::runtime_error("the schema \"" + options_.schema +
                             "\" is in use by a running onceproxy; stop every one that uses it "
                             "(one that was killed counts for ten seconds)");
  }

  /// Moved records must be as durable as those that a running instance writes.
  void check_once() {
    if (std::exchange(checked_, true)) return;
    const std::atomic<bool> never{false};
    const auto checked = check(connection_.get(), options_,
                               {Patience::SteadyClock::now() + options_.connect_timeout, never});
    if (const auto* const error = std::get_if<ConnectError>(&checked)) {
      throw std::runtime_error("cannot use this PostgreSQL server: " + error->message);
    }
  }

  /// If a wait for the standbys is cancelled, the server sends a warning and reports the commit as
  /// a success.
  static void notice(void* self, const PGresult* result) {
    if (pq::sqlstate(result) == "01000") static_cast<Session*>(self)->local_only_ = true;
  }

  [[noreturn]] void refuse() const {
    throw std::runtime_error("the database refused: " +
                             pq::trimmed(PQerrorMessage(connection_.get())));
  }

  const PostgresOptions options_;
  pq::ConnectionPtr connection_;
  bool local_only_ = false;
  bool checked_ = false;
};

PostgresTransfer::PostgresTransfer(const PostgresOptions& options)
    : session_(std::make_unique<Session>(options)) {}

PostgresTransfer::~PostgresTransfer() = default;

void PostgresTransfer::read_records(const std::function<void(const CarriedRecord&)>& each) {
  session_->refuse_undelivered();
  session_->read(select_records, [&](const pq::Row& row) {
    CarriedRecord one;
    row.into(0, one.first.bytes);
    one.second = record_of(row);
    each(one);
  });
}

void PostgresTransfer::read_entities(const std::function<void(const CarriedEntity&)>& each) {
  session_->read(select_entities, [&](const pq::Row& row) {
    CarriedEntity one;
    row.into(0, one.first.bytes);
    one.second = entity_of(row);
    each(one);
  });
}

void PostgresTransfer::read_rates(const std::function<void(const CarriedRate&)>& each) {
  session_->read(select_rates, [&](const pq::Row& row) {
    CarriedRate one;
    row.into(0, one.first.bytes);
    one.second = RateTime(nanoseconds(row.number(1)));
    each(one);
  });
}

std::size_t PostgresTransfer::write_records(std::span<const CarriedRecord> records) {
  return session_->write(insert_record, records);
}

std::size_t PostgresTransfer::write_entities(std::span<const CarriedEntity> entities) {
  return session_->write(insert_entity, entities);
}

std::size_t PostgresTransfer::write_rates(std::span<const CarriedRate> rates) {
  return session_->write(insert_rate, rates);
}

void PostgresTransfer::raise_fence(std::uint64_t above) {
  if (above <= highest_fence()) return;
  session_->run("SELECT setval('fences', " + std::to_string(above) + ")");
}

std::uint64_t PostgresTransfer::highest_fence() {
  return static_cast<std::uint64_t>(
      session_->number("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM fences"));
}

}  // namespace onceproxy::store
