#include "store/postgres/postgres_store.hpp"

#include <algorithm>
#include <array>
#include <future>
#include <mutex>
#include <utility>

#include "store/postgres/channels.hpp"
#include "store/postgres/failure.hpp"
#include "store/postgres/nonce.hpp"
#include "store/postgres/postgres_inspection.hpp"
#include "store/postgres/postgres_ledger.hpp"
#include "store/postgres/reserving.hpp"
#include "store/postgres/settling.hpp"
#include "store/postgres/start_check.hpp"
#include "store/postgres/telling.hpp"
#include "store/postgres/trouble_limit.hpp"
#include "store/postgres/upkeep.hpp"

namespace onceproxy::store {
namespace {

/// Connections in addition to those of the loops, for upkeep, notifications and operators. One of
/// them receives notifications. More than one are opened only while a statement waits for a
/// standby.
constexpr std::size_t house_connections = 4;

/// The minimum time for which close() waits until the database knows that this instance has ended.
constexpr std::chrono::milliseconds farewell_max{500};

class OpenPostgres final : public PostgresStore {
 public:
  OpenPostgres(const PostgresOptions& options, std::size_t loops, const PostgresTuning& tuning,
               const Clock& clock, PostgresObserver observer)
      : options_(options),
        tuning_(tuning),
        observer_(std::move(observer)),
        circuit_(tuning.circuit_failures),
        recent_(options.cache_bytes),
        room_(tuning.waiting_max, tuning.waiting_bytes_max),
        duplicates_(tuning.duplicates_max),
        ledger_limits_(options.ledger),
        liveness_(tuning.takeover_after) {
    const Nonce instance = random_nonce();
    const std::string advice = check_at_start(options_, notes_, instance);
    if (!advice.empty() && observer_.event) observer_.event(advice);
    if (options_.audit.enabled && !options_.audit_path.empty()) {
      audit_.emplace(options_.audit_path, options_.audit, clock, [this](std::string_view detail) {
        if (observer_.failed) observer_.failed("audit");
        if (observer_.trouble) observer_.trouble("audit", detail);
      });
    }
    connector_.emplace(options_, tuning_, counters_,
                       [this](const ConnectError& error) { no_connection(error); });
    const Channel::Parts parts{
        options_,
        tuning_,
        *connector_,
        counters_,
        circuit_,
        [this](std::string_view kind, const std::string& detail, bool failed) {
          failed ? trouble(kind, detail) : tell(kind, detail);
        },
        [this](std::string_view text) { heard(text); }};
    // The store's own channel, for upkeep and notifications. If no loop watches sockets, it carries
    // everything.
    house_loop_.emplace();
    run_in_house([&] {
      house_.emplace(parts, *house_loop_, house_connections, true);
      confirmer_.emplace(*house_, tuning_, counters_);
    });
    retained_.emplace(*house_);
    const std::size_t each = (options_.connections + std::max<std::size_t>(loops, 1) - 1) /
                             std::max<std::size_t>(loops, 1);
    channels_.emplace(parts, each, *house_loop_, *house_);
    work_.emplace(Work{options_,
                       tuning_,
                       observer_,
                       clock,
                       *this,
                       instance,
                       counters_,
                       circuit_,
                       holdings_,
                       recent_,
                       outcomes_,
                       turns_,
                       room_,
                       *confirmer_,
                       *retained_,
                       duplicates_,
                       events_,
                       audit(),
                       flags_.hears,
                       flags_.unsafe,
                       closing_,
                       [this](std::string_view kind, std::string_view detail) { failed(kind, detail); },
                       ledger_limits_});
    retained_->begin(*work_);
    ledger_upkeep_.emplace(*work_, *house_, claims_, routes_, events_, liveness_);
    ledger_.emplace(PostgresLedger::Parts{*work_, *house_, *channels_, claims_, routes_, events_,
                                          liveness_, *ledger_upkeep_});
    upkeep_.emplace(*work_, *house_, *retained_, notes_, *ledger_upkeep_, flags_);
    inspection_.emplace(*work_, *house_);
    run_in_house([&] { upkeep_->start(); });
  }
  ~OpenPostgres() override { OpenPostgres::close(); }

  bool reserve(const ReserveRequest& request, Call<ReserveResult>& call) override;
  bool complete(Permit permit, StoredAnswer answer, std::span<const Fingerprint> ends,
                Call<Settled>& call) override;
  bool release(Permit permit, const NotDone& why, Call<Settled>& call) override;
  bool mark_unknown(Permit permit, std::string_view error, Call<Settled>& call) override;
  bool leases_may_end() const override { return true; }
  bool holds(const Permit& permit) const override {
    return holdings_.holds(permit.fingerprint(), permit.nonce(), BootClock::now());
  }
  void watch_lease(const Permit& permit, Loop& loop, std::weak_ptr<LeaseWatch> watch) override {
    holdings_.watch(permit.fingerprint(), permit.nonce(), loop, std::move(watch));
  }
  void submit(Loop& loop) override { channels_->submit(loop); }
  void leave(Loop& loop) override { channels_->leave(loop); }
  AuditLog* audit() override { return audit_ ? &*audit_ : nullptr; }
  Ledger* ledger() override { return &*ledger_; }
  Notes* notes() override { return &notes_; }
  void dropped(const Permit& permit) noexcept override;
  PostgresStats stats() const override;
  std::string failure() const override;
  Inspection& inspection() override { return *inspection_; }
  void close() override;

 private:
  std::optional<Settling::What> use(Permit& permit, Call<Settled>& call);
  bool settle(Statement verb, Settling::What what, Call<Settled>& call);
  void failed(std::string_view kind, std::string_view detail);
  void trouble(std::string_view kind, std::string_view detail);
  void tell(std::string_view kind, std::string_view detail);
  void no_connection(const ConnectError& error);
  void heard(std::string_view text);
  void run_in_house(const std::function<void()>& task);

  const PostgresOptions options_;
  const PostgresTuning tuning_;
  const PostgresObserver observer_;
  Counters counters_;
  Circuit circuit_;
  Holdings holdings_;
  RecentAnswers recent_;
  Waits outcomes_;
  Waits turns_;
  WaitingRoom room_;
  Duplicates duplicates_;
  NoteTable notes_;
  DeliveryClaims claims_;
  LedgerRoutes routes_;
  EventWatch events_;
  LedgerLimits ledger_limits_;
  Liveness liveness_;
  Upkeep::Flags flags_;
  TroubleLimit troubles_;
  std::atomic<bool> closing_{false};
  std::mutex close_mutex_;
  bool closed_ = false;
  std::optional<AuditLog> audit_;
  std::optional<Connector> connector_;
  std::optional<PollLoop> house_loop_;
  std::optional<Channel> house_;
  std::optional<Confirmer> confirmer_;
  std::optional<Unwritten> retained_;
  std::optional<Channels> channels_;
  std::optional<Work> work_;
  std::optional<LedgerUpkeep> ledger_upkeep_;
  std::optional<PostgresLedger> ledger_;
  std::optional<Upkeep> upkeep_;
  std::optional<PostgresInspection> inspection_;
};

void OpenPostgres::run_in_house(const std::function<void()>& task) {
  std::promise<void> ran;
  post(*house_loop_, [&] {
    task();
    ran.set_value();
  });
  ran.get_future().wait();
}

void OpenPostgres::failed(std::string_view kind, std::string_view detail) {
  if (observer_.failed) observer_.failed(kind);
  if (observer_.trouble && troubles_.first(kind)) observer_.trouble(kind, detail);
}

void OpenPostgres::tell(std::string_view kind, std::string_view detail) {
  if (observer_.trouble && troubles_.first(kind)) observer_.trouble(kind, detail);
}

/// The database did not answer, or not in time.
void OpenPostgres::trouble(std::string_view kind, std::string_view detail) {
  tell(kind, detail);
  if (circuit_.failed() && observer_.event) {
    observer_.event("the database does not answer; operations are refused until it does");
  }
}

/// As long as there are other connections, those show whether the database answers.
void OpenPostgres::no_connection(const ConnectError& error) {
  const std::string_view kind = failure_of(error.state).kind;
  if (Counters::get(counters_.connections) == 0) {
    trouble(kind, error.message);
  } else {
    tell(kind, error.message);
  }
}

void OpenPostgres::heard(std::string_view text) {
  Counters::add(counters_.notifications);
  if (text.empty()) return;
  const auto name = Fingerprint::from_hex(text.substr(1));
  if (!name) return;
  switch (text.front()) {
    case telling::turn:
      turns_.wake(name->bytes);
      return;
    case telling::changed:
      recent_.forget(*name);
      holdings_.doubt(*name);
      [[fallthrough]];
    case telling::outcome:
      outcomes_.wake(name->bytes);
      return;
    default:
      return;  // of a later version
  }
}

bool OpenPostgres::reserve(const ReserveRequest& request, Call<ReserveResult>& call) {
  const auto carrier = channels_->of(call.loop);
  return Reserving::begin(*work_, carrier.channel, carrier.on_thread, request, call);
}

/// Uses up the permit. Answers the call if the permit holds no reservation, or the store is
/// closing.
std::optional<Settling::What> OpenPostgres::use(Permit& permit, Call<Settled>& call) {
  permit.use();
  if (closing_.load(std::memory_order_acquire)) {
    call.result = Settled::failed;
    return std::nullopt;
  }
  auto holding = holdings_.settling(permit.fingerprint(), permit.nonce());
  if (!holding) {
    call.result = Settled::refused;
    return std::nullopt;
  }
  Settling::What what;
  what.fingerprint = permit.fingerprint();
  what.nonce = permit.nonce();
  what.holding = *std::move(holding);
  return what;
}

bool OpenPostgres::settle(Statement verb, Settling::What what, Call<Settled>& call) {
  const auto carrier = channels_->of(call.loop);
  Settling::begin(*work_, carrier.channel, carrier.on_thread, verb, std::move(what), call);
  return false;
}

bool OpenPostgres::complete(Permit permit, StoredAnswer answer, std::span<const Fingerprint> ends,
                            Call<Settled>& call) {
  auto what = use(permit, call);
  if (!what) return true;
  if (!answer.replayable) answer.head = answer.body = {};
  what->answer = std::move(answer);
  for (const Fingerprint& ended : ends) {
    if (ended != permit.fingerprint()) what->ends.push_back(ended);
  }
  return settle(Statement::complete, *std::move(what), call);
}

bool OpenPostgres::release(Permit permit, const NotDone& why, Call<Settled>& call) {
  auto what = use(permit, call);
  if (!what) return true;
  what->status = why.status;
  what->error = why.error;
  return settle(Statement::release, *std::move(what), call);
}

bool OpenPostgres::mark_unknown(Permit permit, std::string_view error, Call<Settled>& call) {
  auto what = use(permit, call);
  if (!what) return true;
  what->error = error;
  return settle(Statement::mark_unknown, *std::move(what), call);
}

void OpenPostgres::dropped(const Permit& permit) noexcept {
  holdings_.end(permit.fingerprint(), permit.nonce());
  if (audit_) {
    audit_->end({work_->clock.now(), permit.fence(), AuditEnding::How::unknown, 0,
                 "the reservation was left to its lease"});
  }
  if (observer_.permit_dropped) observer_.permit_dropped();
}

PostgresStats OpenPostgres::stats() const {
  PostgresStats out;
  out.circuit_open = circuit_.open();
  out.healthy = !out.circuit_open && !flags_.unsafe.load() && !closing_.load();
  out.hears = flags_.hears.load();
  out.connections = Counters::get(counters_.connections);
  out.connections_max = options_.connections + house_connections;
  out.queued = Counters::get(counters_.queued);
  out.queued_max = options_.queue_max;
  out.reservations_active = holdings_.size();
  out.reservations_max = options_.pending_max;
  out.calls_waiting = room_.calls();
  out.calls_waiting_max = tuning_.waiting_max;
  out.waiting_bytes = room_.bytes();
  out.waiting_bytes_max = tuning_.waiting_bytes_max;
  out.cache_bytes = recent_.bytes();
  out.cache_bytes_max = options_.cache_bytes;
  out.retained = Counters::get(counters_.retained) + ledger_upkeep_->kept();
  out.bytes = flags_.table_bytes.load();
  out.records_estimate = flags_.records_estimate.load();
  out.records = upkeep_->counts();
  out.audit_bytes = audit_ ? audit_->bytes() : 0;
  out.audit_dropped = audit_ ? audit_->dropped() : 0;
  out.round_trips = Counters::get(counters_.round_trips);
  out.connects = Counters::get(counters_.connects);
  out.connect_failures = Counters::get(counters_.connect_failures);
  out.retries_connection = Counters::get(counters_.retries_connection);
  out.retries_conflict = Counters::get(counters_.retries_conflict);
  out.retries_deadlock = Counters::get(counters_.retries_deadlock);
  out.retries_shutdown = Counters::get(counters_.retries_shutdown);
  out.retries_other = Counters::get(counters_.retries_other);
  out.timeouts = Counters::get(counters_.timeouts);
  out.replication_waits = Counters::get(counters_.replication_waits);
  out.replication_unconfirmed = Counters::get(counters_.replication_unconfirmed);
  out.cache_hits = Counters::get(counters_.cache_hits);
  out.notifications = Counters::get(counters_.notifications);
  out.leases_lost = Counters::get(counters_.leases_lost);
  return out;
}

std::string OpenPostgres::failure() const {
  if (flags_.unsafe.load()) return "the server's settings may lose committed transactions";
  if (!circuit_.open()) return "";
  const std::string why = connector_->failure();
  return why.empty() ? "the database does not answer" : why;
}

void OpenPostgres::close() {
  const std::lock_guard lock(close_mutex_);
  if (std::exchange(closed_, true)) return;
  closing_.store(true);
  // Calls that wait see this, each on its loop.
  outcomes_.wake_all();
  turns_.wake_all();
  run_in_house([this] {
    retained_->retry();
    ledger_upkeep_->retry();
  });
  // Operations under way end within their own time.
  const auto end = std::chrono::steady_clock::now() + options_.operation_timeout;
  for (bool idle = false; !idle && std::chrono::steady_clock::now() < end;) {
    run_in_house([&] { idle = house_->idle(); });
    if (!idle) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  // If the database does not answer, the other instances notice the missing sign of life.
  const auto told = std::make_shared<std::promise<void>>();
  auto known = told->get_future();
  post(*house_loop_, [this, told] { upkeep_->stop([told] { told->set_value(); }); });
  known.wait_until(std::max(end, std::chrono::steady_clock::now() + farewell_max));
  connector_->stop();
  run_in_house([this] {
    confirmer_->close();
    house_->close();
    retained_->close();
    ledger_upkeep_->close();
  });
  house_loop_->stop();
  if (audit_) audit_->close();
}

}  // namespace

std::unique_ptr<PostgresStore> open_tuned(const PostgresOptions& options, std::size_t loops,
                                          const PostgresTuning& tuning, const Clock& clock,
                                          PostgresObserver observer) {
  return std::make_unique<OpenPostgres>(options, loops, tuning, clock, std::move(observer));
}

std::unique_ptr<PostgresStore> PostgresStore::open(const PostgresOptions& options,
                                                   std::size_t loops, const Clock& clock,
                                                   PostgresObserver observer) {
  return open_tuned(options, loops, PostgresTuning{}, clock, std::move(observer));
}

}  // namespace onceproxy::store
