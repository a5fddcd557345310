#include "store/postgres/postgres_ledger.hpp"

#include <algorithm>
#include <utility>

#include "store/postgres/failure.hpp"
#include "store/postgres/nonce.hpp"
#include "store/record.hpp"

namespace onceproxy::store {

using std::chrono::milliseconds;
using Reason = Unavailable::Reason;

namespace {

/// The columns of begin_delivery() behind those that all deeds have.
enum Column { o_attempts = Deed::o_first, o_due, o_held, o_orphaned };
/// The one of acknowledge().
constexpr int o_fingerprint = Deed::o_first;

template <typename Result>
void answer(Call<Result>& call, Result result) {
  call.result.emplace(std::move(result));
  call.next = nullptr;
  call.loop.deliver(&call);
}

void add_key(pq::Params& params, const DeliveryKey& key) {
  params.number(static_cast<std::int64_t>(key.event));
  params.bytes(key.listener);
}

int code_of(const pq::Row& row) {
  return static_cast<int>(row.number(Deed::o_code));
}

}  // namespace

void PostgresLedger::start(Loop& loop, Statement statement, Deed::Task task) {
  const auto carrier = parts_.channels.of(loop);
  Deed::begin(parts_.work, carrier.channel, carrier.on_thread, statement, std::move(task));
}

bool PostgresLedger::claim(const DeliveryKey& key, bool early, Call<BeginResult>& call) {
  if (closing()) {
    call.result.emplace(Unavailable{Reason::closing});
    return true;
  }
  const Nonce nonce = random_nonce();
  if (!parts_.claims.take(key, nonce)) {
    call.result.emplace(Taken{});
    return true;
  }
  Deed::Task task;
  task.bind = [this, key, nonce, early,
               policies = parts_.routes.policies_of(key.listener)](pq::Params& params) {
    add_key(params, key);
    params.nonce(nonce);
    params.nonce(parts_.work.instance);
    params.array(std::vector<std::string_view>(policies.begin(), policies.end()));
    params.flag(early);
    params.flag(parts_.liveness.may_take_over(SteadyClock::now()));
    params.number(parts_.upkeep.orphaned_after().count());
  };
  task.done = [this, key, early, &call](const pq::Row& row, SteadyClock::time_point sent) {
    wake_turn(parts_.work, parts_.house, row, Deed::o_queued, Deed::o_entity);
    answer(call, begun(key, early, row, sent));
  };
  // It may have claimed the delivery nevertheless.
  task.failed = [this, key, nonce, &call] {
    parts_.claims.release(key);
    parts_.upkeep.doubt(key, nonce);
    answer<BeginResult>(call, Unavailable{Reason::failed});
  };
  start(call.loop, Statement::begin_delivery, std::move(task));
  return false;
}

BeginResult PostgresLedger::begun(const DeliveryKey& key, bool early, const pq::Row& row,
                                  SteadyClock::time_point sent) {
  const int what = code_of(row);
  if (what == code::done) {
    parts_.claims.claimed(key, sent);
    std::optional<EntityKey> holds;
    if (!row.null(Deed::o_entity)) row.into(Deed::o_entity, holds.emplace().bytes);
    const auto number = static_cast<std::uint32_t>(row.number(o_attempts)) + 1;
    return Attempt(*this, key, number, holds, row.flag(o_orphaned));
  }
  parts_.claims.release(key);
  switch (what) {
    case code::closed:
      count(key.listener, DeliveryState::cancelled, false);
      return Cancelled{};
    case code::absent:
      return NotPending{};
    case code::later:
      break;
    default:
      return Taken{};
  }
  if (early) return Taken{};
  // By the clock of this machine, which may be another than the database's.
  const milliseconds left(row.number(o_due) - row.number(Deed::o_now));
  return Later{parts_.work.clock.now() + left, static_cast<std::uint32_t>(row.number(o_attempts)),
               row.flag(o_held)};
}

void PostgresLedger::sent(Attempt& attempt) noexcept {
  if (!attempt.take_hold()) return;
  const auto claim = parts_.claims.find(attempt.key());
  if (claim) parts_.upkeep.on_its_way(attempt.key(), claim->nonce);
}

void PostgresLedger::dropped(Attempt& attempt) noexcept {
  const auto claim = parts_.claims.find(attempt.key());
  parts_.claims.release(attempt.key());
  if (claim) parts_.upkeep.give_up(attempt.key(), claim->nonce);
}

bool PostgresLedger::lapsed(const Attempt& attempt) const noexcept {
  const auto claim = parts_.claims.find(attempt.key());
  return !claim || !parts_.liveness.holds(claim->sent, SteadyClock::now());
}

void PostgresLedger::count(const std::string& listener, DeliveryState state, bool attempted) {
  const std::lock_guard lock(counts_mutex_);
  ListenerFigures& figures = ends_[listener];
  switch (state) {
    case DeliveryState::notified:
      ++figures.notified_total;
      return;
    case DeliveryState::dead:
      ++figures.dead_total;
      return;
    case DeliveryState::cancelled:
      ++figures.cancelled_total;
      return;
    case DeliveryState::removed:
      ++figures.removed_total;
      return;
    default:
      figures.failed_total += attempted ? 1 : 0;
  }
}

bool PostgresLedger::end(Attempt attempt, const AttemptEnd& how, Call<Settled>& call) {
  // The hold ends with the claim.
  attempt.use();
  const DeliveryKey key = attempt.key();
  if (closing()) {
    parts_.claims.release(key);
    call.result = Settled::failed;
    return true;
  }
  const Nonce nonce = parts_.claims.ending(key).nonce;
  const milliseconds wait = std::max(how.due - parts_.work.clock.now(), milliseconds(0));
  const bool says = how.attempted || !how.error.empty();
  Deed::Task task;
  task.bind = [key, nonce, state = how.state, wait, held = how.held, status = how.status, says,
               error = std::string(how.error.substr(0, error_bytes_max)),
               attempted = how.attempted](pq::Params& params) {
    add_key(params, key);
    params.nonce(nonce);
    params.number(static_cast<std::int64_t>(state));
    params.number(is_ended(state) ? 0 : wait.count());
    params.flag(held);
    params.number(status);
    says ? params.bytes(error) : params.null();
    params.flag(attempted);
  };
  // Answered once, though what is kept ends later.
  const auto caller = std::make_shared<Call<Settled>*>(&call);
  const auto tell = [caller](Settled settled) {
    if (auto* const waits = std::exchange(*caller, nullptr)) answer(*waits, settled);
  };
  task.done = [this, key, caller, tell, state = how.state, attempted = how.attempted](
                  const pq::Row& row, SteadyClock::time_point) {
    const bool done = code_of(row) == code::done;
    if (done) count(key.listener, state, attempted);
    if (!done && *caller == nullptr) {
      parts_.work.failed(trouble::retain,
                         "the result of a delivery came too late: another instance has taken it "
                         "over");
    }
    parts_.claims.release(key);
    wake_turn(parts_.work, parts_.house, row, Deed::o_queued, Deed::o_entity);
    tell(done ? Settled::done : Settled::refused);
  };
  task.failed = [tell] { tell(Settled::failed); };
  task.keep = [this, key, nonce](std::unique_ptr<Deed> deed) {
    if (parts_.upkeep.keep(std::move(deed))) return;
    parts_.claims.release(key);
    parts_.upkeep.doubt(key, nonce);
  };
  start(call.loop, Statement::end_delivery, std::move(task));
  return false;
}

bool PostgresLedger::acknowledge(EventNumber event, StoredAnswer answer_now, Call<Settled>& call) {
  if (closing()) {
    call.result = Settled::failed;
    return true;
  }
  Deed::Task task;
  task.bind = [event, given = std::move(answer_now)](pq::Params& params) {
    params.number(static_cast<std::int64_t>(event));
    params.number(given.status);
    params.flag(given.replayable);
    params.number(static_cast<std::int64_t>(given.not_kept));
    params.bytes(given.head);
    params.bytes(given.body);
  };
  task.done = [this, &call](const pq::Row& row, SteadyClock::time_point) {
    const bool done = code_of(row) == code::done;
    if (done) {
      Fingerprint fingerprint;
      row.into(o_fingerprint, fingerprint.bytes);
      parts_.work.recent.forget(fingerprint);
    }
    answer(call, done ? Settled::done : Settled::refused);
  };
  task.failed = [&call] { answer(call, Settled::failed); };
  start(call.loop, Statement::acknowledge, std::move(task));
  return false;
}

bool PostgresLedger::redrive(const DeliveryKey& key, Call<Redriven>& call) {
  if (closing()) {
    call.result = Redriven::failed;
    return true;
  }
  if (!parts_.claims.take(key, {})) {
    call.result = Redriven::conflict;
    return true;
  }
  Deed::Task task;
  task.repeatable = false;
  task.bind = [this, key](pq::Params& params) {
    add_key(params, key);
    params.nonce(parts_.work.instance);
    params.flag(parts_.liveness.may_take_over(SteadyClock::now()));
  };
  task.done = [this, key, &call](const pq::Row& row, SteadyClock::time_point) {
    parts_.claims.release(key);
    switch (code_of(row)) {
      case code::done:
        parts_.watch.redriven(key);
        return answer(call, Redriven::done);
      case code::absent:
        return answer(call, Redriven::absent);
      case code::closed:
        return answer(call, Redriven::closed);
      case code::stale:
        return answer(call, Redriven::stale);
      default:
        return answer(call, Redriven::conflict);
    }
  };
  task.failed = [this, key, &call] {
    parts_.claims.release(key);
    answer(call, Redriven::failed);
  };
  start(call.loop, Statement::redrive_delivery, std::move(task));
  return false;
}

bool PostgresLedger::drop(const DeliveryKey& key, std::string_view why, Call<Changed>& call) {
  if (closing()) {
    call.result = Changed::failed;
    return true;
  }
  if (!parts_.claims.take(key, {})) {
    call.result = Changed::conflict;
    return true;
  }
  Deed::Task task;
  task.repeatable = false;
  task.bind = [this, key, error = std::string(why.substr(0, error_bytes_max))](pq::Params& params) {
    add_key(params, key);
    params.nonce(parts_.work.instance);
    params.flag(parts_.liveness.may_take_over(SteadyClock::now()));
    params.bytes(error);
  };
  task.done = [this, key, &call](const pq::Row& row, SteadyClock::time_point) {
    parts_.claims.release(key);
    switch (code_of(row)) {
      case code::done:
        count(key.listener, DeliveryState::removed, false);
        return answer(call, Changed::done);
      case code::absent:
        return answer(call, Changed::absent);
      default:
        return answer(call, Changed::conflict);
    }
  };
  task.failed = [this, key, &call] {
    parts_.claims.release(key);
    answer(call, Changed::failed);
  };
  start(call.loop, Statement::drop_delivery, std::move(task));
  return false;
}

}  // namespace onceproxy::store
