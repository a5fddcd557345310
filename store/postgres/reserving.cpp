#include "store/postgres/reserving.hpp"

#include <algorithm>
#include <utility>

#include "store/gcra.hpp"
#include "store/judgement.hpp"
#include "store/lease.hpp"
#include "store/postgres/failure.hpp"
#include "store/postgres/nonce.hpp"
#include "store/postgres/one_query.hpp"
#include "store/postgres/poll_loop.hpp"
#include "store/postgres/telling.hpp"
#include "store/postgres/unwritten.hpp"
#include "store/record.hpp"
#include "store/subject.hpp"

namespace onceproxy::store {

using std::chrono::milliseconds;
using Reason = Unavailable::Reason;

namespace {

/// The columns of what reserve() answers.
enum Column {
  o_code,
  o_now,
  o_number,
  o_attempt,
  o_nonce,
  o_flag,
  o_status,
  o_replayable,
  o_not_kept,
  o_settled,
  o_expires,
  o_trace,
  o_head,
  o_body,
  o_lsn,
  o_confirmed,
  o_payload
};

/// An answer that cannot be given before the standbys have what it stands on: so long a caller is
/// told to wait.
constexpr milliseconds unconfirmed_left{1'000};

/// A deadline by the server's clock may be off by as much.
constexpr milliseconds clocks_differ{100};

std::optional<EntityKey> turn_of(const ReserveRequest& request) {
  if (!request.entity || !request.entity->turn) return std::nullopt;
  return request.entity->key;
}

bool is_duplicate(const ReserveResult& result) {
  return std::holds_alternative<Completed>(result) || std::holds_alternative<InFlight>(result) ||
         std::holds_alternative<Mismatch>(result) || std::holds_alternative<Held>(result);
}

void note_duplicate(Work& work, const ReserveRequest& request) {
  work.duplicates.note(request.fingerprint, work.clock.now(),
                       std::max(request.terms.window, request.terms.lease));
}

/// Stands on a row, so it is answered only when the standbys have that row.
bool stands_on_row(int what, const pq::Row& row) {
  return what == code::completed || what == code::mismatch || what == code::stale ||
         what == code::closed || (what == code::reserved && !row.null(o_lsn));
}

}  // namespace

Reserving::Place::Place(Loop& loop, Reserving& whose) : WaitingCall(loop), owner(whose) {
  resume = [](CallBase& base) { static_cast<Place&>(base).owner.woken(); };
}

Reserving::Confirming::Confirming(Loop& loop, Reserving& whose) : Confirmation(loop), owner(whose) {
  resume = [](CallBase& base) { static_cast<Confirming&>(base).owner.confirmed(); };
}

Reserving::Reserving(Work& work, Channel& channel, const ReserveRequest& request,
                     Call<ReserveResult>& call)
    : Query(Statement::reserve),
      work_(work),
      channel_(channel),
      call_(&call),
      request_(&request),
      fingerprint_(request.fingerprint),
      nonce_(random_nonce()),
      lease_(request.terms.lease),
      turn_of_(turn_of(request)),
      place_(channel.loop(), *this),
      confirming_(channel.loop(), *this) {}

/// What needs no database: it was confirmed a moment ago, is under way here, or nothing can be
/// promised now.
std::optional<ReserveResult> Reserving::known_here(Work& work, const ReserveRequest& request) {
  if (work.closing.load(std::memory_order_acquire)) return Unavailable{Reason::closing};
  if (!request.may_be_ended) {
    if (const auto recent = work.recent.find(request.fingerprint, SteadyClock::now())) {
      Counters::add(work.counters.cache_hits);
      if (differ(recent->payload, request.payload)) return Mismatch{};
      return Completed{recent->answer, recent->completed_at, recent->trace};
    }
  }
  const bool failing = work.circuit.open();
  if (const auto held = work.holdings.glance(request.fingerprint, request.payload)) {
    // Known while the database is not there, too: a policy that forwards without the store would
    // have it done twice.
    if (held->differs) return Mismatch{};
    if (failing || request.wait <= milliseconds(0)) return InFlight{};
  }
  if (failing) {
    work.failed(trouble::circuit, "the database does not answer, and is not waited for");
    return Unavailable{Reason::failed};
  }
  if (work.unsafe.load(std::memory_order_relaxed)) {
    work.failed(trouble::unsafe, "the server's settings would lose what it commits");
    return Unavailable{Reason::failed};
  }
  if (work.holdings.size() >= work.options.pending_max) return Unavailable{Reason::pending};
  return std::nullopt;
}

bool Reserving::begin(Work& work, Channel& channel, bool on_thread, const ReserveRequest& request,
                      Call<ReserveResult>& call) {
  if (auto known = known_here(work, request)) {
    if (is_duplicate(*known)) note_duplicate(work, request);
    call.result.emplace(std::move(*known));
    return true;
  }
  auto* const reserving = new Reserving(work, channel, request, call);  // owns itself
  if (request.entity && request.entity->turn) call.turn_wait = std::chrono::nanoseconds(0);
  if (on_thread) {
    reserving->ask();
  } else {
    post(channel.loop(), [reserving] { reserving->ask(); });
  }
  return false;
}

/// Anew. A doubt remains: an answer says nothing of a commit that cannot be seen yet.
void Reserving::ask() {
  if (work_.closing.load(std::memory_order_acquire)) {
    finish(Unavailable{Reason::closing});
    return;
  }
  tries_ = 0;
  woken_ = false;
  first_sent_ = SteadyClock::now();
  deadline = first_sent_ + work_.options.operation_timeout;
  ask_again();
}

void Reserving::ask_again() {
  asking_ = channel_.send(*this);
  if (asking_) return;
  work_.failed(trouble::full, "too many operations wait for a connection");
  finish(Unavailable{Reason::failed});
}

void Reserving::bind(pq::Params& params, const Server& server) const {
  const ReserveRequest& request = *request_;
  params.digest(fingerprint_);
  params.nonce(nonce_);
  params.nonce(work_.instance);
  params.digest(request.payload);
  params.number(request.terms.lease.count());
  params.number(renewal_max(request.terms.lease).count());
  params.number(request.terms.window.count());
  params.flag(request.terms.unknown == OnUnknown::hold);
  params.bytes(request.policy.substr(0, policy_bytes_max));
  params.bytes(request.request_id.substr(0, request_id_bytes_max));
  params.bytes(request.trace.size() <= trace_bytes_max ? request.trace : std::string_view());
  params.bytes(request.path.substr(0, path_bytes_max));
  if (const auto& entity = request.entity) {
    params.digest(entity->key);
    params.bytes(entity->type.substr(0, entity_type_bytes_max));
    params.bytes(entity->id.substr(0, entity_id_bytes_max));
    if (entity->turn) {
      const auto left = waits_ == Waits::turn
                            ? std::chrono::ceil<milliseconds>(turn_until_ - SteadyClock::now())
                            : *entity->turn;
      params.number(std::max<std::int64_t>(left.count(), 0));
    } else {
      params.null();
    }
  } else {
    for (int i = 0; i < 4; ++i) params.null();
  }
  params.number(static_cast<std::int64_t>(work_.tuning.entity_queue_max));
  params.number(work_.tuning.ticket.count());
  if (request.entity && request.entity->sequence) {
    const Sequence& sequence = *request.entity->sequence;
    params.number(static_cast<std::int64_t>(sequence.kind));
    params.number(sequence.high);
    params.number(static_cast<std::int64_t>(sequence.low ^ Sequence::sign_bit));
  } else {
    for (int i = 0; i < 3; ++i) params.null();
  }
  params.flag(request.entity && request.entity->equal_passes);
  if (request.entity && request.entity->closes) {
    params.number(request.entity->closes->count());
  } else {
    params.null();
  }
  params.flag(request.entity && request.entity->unless_closed);
  if (request.rate) {
    const auto interval = token_interval(*request.rate);
    params.digest(request.rate->key);
    params.number(interval.count());
    params.number((interval * std::max(request.rate->limit, 1u)).count());
  } else {
    for (int i = 0; i < 3; ++i) params.null();
  }
  params.flag(request.wait > milliseconds(0));
  waited_ ? params.nonce(*waited_) : params.null();
  params.number(not_after(server));
  params.flag(work_.quorum());
}

void Reserving::replied(Reply reply) {
  asking_ = false;
  if (call_ == nullptr) {
    // It was answered long ago that the store is not available.
    const auto what = reply.good() && reply.rows() == 1 ? reply.row().number(o_code) : 0;
    if (reply.lost) doubt();
    if (what == code::queued) queued_ = turn_of_;
    if (what == code::reserved || in_doubt_) undo();
    leave_queue();
    dispose();
    return;
  }
  if (!reply.good() || reply.rows() != 1) {
    trouble(reply);
    return;
  }
  if (reply.row().number(o_code) == code::reserved) {
    // A commit: that reads are answered says nothing where the standbys are gone.
    work_.circuit.answered();
    if (work_.observer.committed) work_.observer.committed(SteadyClock::now() - sent);
  }
  decide(std::move(reply));
}

void Reserving::late() {
  if (call_ == nullptr) return;
  Counters::add(work_.counters.timeouts);
  work_.failed(trouble::timeout, "a reservation was not answered in time");
  finish(Unavailable{Reason::failed});
}

void Reserving::trouble(const Reply& reply) {
  const Failure failure =
      reply.lost ? Failure{trouble::lost, true, true} : failure_of(reply.sqlstate);
  work_.failed(failure.kind, reply.error);
  if (reply.lost || failure.leave) doubt();
  if (failure.retry && tries_ < work_.tuning.retries_max && SteadyClock::now() < deadline &&
      !work_.closing.load()) {
    ++tries_;
    Counters::add(failure.kind == "conflict"   ? work_.counters.retries_conflict
                  : failure.kind == "deadlock" ? work_.counters.retries_deadlock
                  : failure.kind == "shutdown" ? work_.counters.retries_shutdown
                                               : work_.counters.retries_connection);
    ask_again();
    return;
  }
  finish(Unavailable{Reason::failed});
}

void Reserving::decide(Reply reply) {
  const pq::Row row = reply.row();
  const auto what = static_cast<int>(row.number(o_code));
  if (what == code::reserved && reply.unconfirmed) {
    work_.failed(trouble::unconfirmed, "a commit did not wait for its standby");
    confirm(std::move(reply), 0);
  } else if (work_.quorum() && stands_on_row(what, row) && !row.flag(o_confirmed)) {
    const auto lsn = static_cast<std::uint64_t>(row.number(o_lsn));
    confirm(std::move(reply), lsn);
  } else if (work_.quorum() && what == code::reserved &&
             SteadyClock::now() - sent > work_.tuning.commit_slow) {
    confirm(std::move(reply), 0);
  } else {
    conclude(reply);
  }
}

void Reserving::confirm(Reply reply, std::uint64_t lsn) {
  kept_ = std::move(reply);
  confirming_.lsn = lsn;
  confirming_.epoch = kept_.epoch;
  confirming_.until = std::min(deadline, SteadyClock::now() + work_.tuning.confirm_max);
  work_.confirmer.wait(confirming_);
}

void Reserving::confirmed() {
  const Reply reply = std::exchange(kept_, Reply{});
  switch (confirming_.outcome) {
    case Confirmation::Outcome::confirmed:
      conclude(reply);
      return;
    case Confirmation::Outcome::elsewhere:
      // A failover: it may be lost with the server that said so.
      doubt();
      if (++tries_ <= work_.tuning.retries_max && SteadyClock::now() < deadline) {
        ask_again();
        return;
      }
      break;
    case Confirmation::Outcome::unconfirmed:
      break;
  }
  work_.failed(trouble::unconfirmed, "no standby has what an answer stands on");
  if (reply.row().number(o_code) == code::reserved) {
    undo();
    finish(Unavailable{Reason::failed});
  } else {
    finish(Held{unconfirmed_left});
  }
}

void Reserving::conclude(const Reply& reply) {
  const pq::Row row = reply.row();
  const milliseconds left(row.number(o_number));
  switch (row.number(o_code)) {
    case code::reserved:
      reserved(row);
      return;
    case code::completed:
      completed(row);
      return;
    case code::mismatch:
      finish(Mismatch{});
      return;
    case code::in_flight:
      wait_for_outcome(row);
      return;
    case code::held:
      finish(row.null(o_number) ? Held{} : Held{left});
      return;
    case code::stale:
      finish(Stale{});
      return;
    case code::closed:
      finish(Closed{left});
      return;
    case code::rate_limited:
      finish(RateLimited{left});
      return;
    case code::queued:
      wait_for_turn();
      return;
    case code::no_turn:
      finish(NoTurn{});
      return;
    case code::unsafe:
      work_.failed(trouble::unsafe, "the server's commits wait for no standby");
      finish(Unavailable{Reason::failed});
      return;
    default:
      // It came to the server too late, and did nothing.
      work_.failed(trouble::timeout, "the operation came to the server too late");
      finish(Unavailable{Reason::failed});
  }
}

void Reserving::reserved(const pq::Row& row) {
  Holding holding;
  holding.nonce = nonce_;
  holding.fence = static_cast<std::uint64_t>(row.number(o_number));
  holding.payload = request_->payload;
  holding.terms = request_->terms;
  // What an earlier statement reserved was found again.
  const bool found = in_doubt_ && !row.null(o_confirmed);
  const auto since = found ? doubt_began_ : first_sent_;
  holding.lease_ends = since + lease_;
  holding.renew = since + renewed_after(lease_);
  holding.cached = !request_->may_be_ended;
  if (request_->trace.size() <= trace_bytes_max) holding.trace = request_->trace;
  if (holding.lease_ends <= SteadyClock::now()) {
    // It took longer than the lease lasts.
    undo();
    finish(Unavailable{Reason::failed});
    return;
  }
  const auto attempt = static_cast<std::uint32_t>(row.number(o_attempt));
  if (work_.audit != nullptr) {
    AuditForward entry{
        work_.clock.now(),    holding.fence,      attempt, fingerprint_, request_->policy,
        request_->request_id, request_->trace_id, {}};
    entry.subject.path = request_->path.substr(0, path_bytes_max);
    if (request_->entity) {
      entry.subject.entity_type = request_->entity->type.substr(0, entity_type_bytes_max);
      entry.subject.entity_id = request_->entity->id.substr(0, entity_id_bytes_max);
    }
    std::string bytes;
    append(bytes, entry);
    work_.audit->write(bytes, 1);
  }
  const std::uint64_t fence = holding.fence;
  work_.holdings.add(fingerprint_, std::move(holding));
  queued_.reset();  // the reservation took its place
  finish(Reserved{Permit(work_.permits, fingerprint_, nonce_, fence), attempt});
}

void Reserving::completed(const pq::Row& row) {
  StoredAnswer answer;
  answer.status = static_cast<int>(row.number(o_status));
  answer.replayable = row.flag(o_replayable);
  answer.not_kept = static_cast<NotKept>(row.number(o_not_kept));
  answer.head = row.text(o_head);
  answer.body = row.text(o_body);
  const WallTime at{milliseconds(row.number(o_settled))};
  std::string trace = row.text(o_trace);
  const bool ended = row.flag(o_flag);
  if (!request_->may_be_ended && !ended) {
    // It was so when the server looked, which was after the statement was sent.
    const milliseconds left(row.number(o_expires) - row.number(o_now));
    const auto until = sent + std::min(work_.tuning.recent, left);
    std::optional<PayloadDigest> payload;
    if (!row.null(o_payload)) row.into(o_payload, payload.emplace().bytes);
    work_.recent.add(fingerprint_, {payload, answer, at, trace, until}, SteadyClock::now());
  }
  finish(Completed{std::move(answer), at, std::move(trace)});
}

void Reserving::wait_for_outcome(const pq::Row& row) {
  ended_ = row.flag(o_flag);
  if (request_->wait <= milliseconds(0)) {
    finish(InFlight{ended_});
    return;
  }
  // Who comes when it was ended already gets nothing of it.
  Nonce holder{};
  row.into(o_nonce, holder);
  if (!ended_) {
    waited_ = holder;
  } else if (waited_ && *waited_ != holder) {
    waited_.reset();
  }
  leave_queue();
  if (outcome_until_ == SteadyClock::time_point()) {
    outcome_until_ = SteadyClock::now() + request_->wait;
  }
  wait(Waits::outcome, outcome_until_);
}

void Reserving::wait_for_turn() {
  queued_ = request_->entity->key;
  if (turn_until_ == SteadyClock::time_point()) {
    queued_at_ = SteadyClock::now();
    turn_until_ = queued_at_ + *request_->entity->turn;
  }
  wait(Waits::turn, turn_until_);
}

bool Reserving::time_is_over() const {
  const auto until = waits_ == Waits::turn ? turn_until_ : outcome_until_;
  return SteadyClock::now() >= until;
}

/// Until it is woken, or the time for a look has come.
void Reserving::wait(Waits what, SteadyClock::time_point until) {
  if (!room_) {
    room_.emplace(work_.room.enter(request_->bytes_kept));
    if (!*room_) {
      waits_ = what;
      time_over();
      return;
    }
  }
  if (waits_ != what) {
    stop_waiting();
    waits_ = what;
    what == Waits::turn ? work_.turns.add(request_->entity->key.bytes, place_)
                        : work_.outcomes.add(fingerprint_.bytes, place_);
    // What was settled before this place was there has woken nobody: one more look.
    ask();
    return;
  }
  if (time_is_over()) {
    time_over();
    return;
  }
  if (woken_) {
    ask();
    return;
  }
  const auto left = std::chrono::ceil<milliseconds>(until - SteadyClock::now());
  // Where nobody tells us, we look more often; but the more calls wait, the less, since the
  // database may be in trouble already: a thousand looks a second, or each call once in `poll`.
  const milliseconds sooner = std::max(work_.tuning.poll / 10, milliseconds(work_.room.calls()));
  const milliseconds pause =
      work_.hears.load() ? work_.tuning.poll : std::min(work_.tuning.poll, sooner);
  timer_ = channel_.loop().timer(std::min(left, pause), [this] {
    timer_.reset();
    if (asking_ || call_ == nullptr) return;
    time_is_over() ? time_over() : ask();
  });
}

void Reserving::woken() {
  (waits_ == Waits::turn ? work_.turns : work_.outcomes).resumed(place_);
  if (call_ == nullptr) {
    dispose();
    return;
  }
  woken_ = true;
  if (asking_ || timer_ == nullptr) return;
  timer_.reset();
  // Whoever was woken before it may have brought the answer.
  if (waits_ == Waits::outcome) {
    if (auto known = known_here(work_, *request_);
        known && std::holds_alternative<Completed>(*known)) {
      finish(std::move(*known));
      return;
    }
  }
  ask();
}

void Reserving::time_over() {
  if (waits_ == Waits::turn) {
    finish(NoTurn{});
  } else {
    finish(InFlight{ended_});
  }
}

void Reserving::stop_waiting() {
  timer_.reset();
  if (waits_ == Waits::turn) {
    work_.turns.remove(queued_ ? queued_->bytes : request_->entity->key.bytes, place_);
  } else if (waits_ == Waits::outcome) {
    work_.outcomes.remove(fingerprint_.bytes, place_);
  }
}

/// Its place in the queue is given up, and whoever is first now is told.
void Reserving::leave_queue() {
  if (!queued_) return;
  const EntityKey key = *std::exchange(queued_, std::nullopt);
  OneQuery::send(
      channel_, Statement::leave_queue, work_.options.operation_timeout,
      [key, nonce = nonce_](pq::Params& params) {
        params.digest(key);
        params.nonce(nonce);
      },
      [&work = work_, &channel = channel_, key](const Reply& reply) {
        if (!reply.good()) return;  // the place ends by itself
        work.turns.wake(key.bytes);
        tell_others(channel, work.options, telling::turn, key);
      });
}

/// A statement's fate is not known.
void Reserving::doubt() {
  if (!in_doubt_) doubt_began_ = first_sent_;
  in_doubt_ = true;
  doubt_ends_ = deadline + clocks_differ;
  if (turn_of_) queued_ = turn_of_;
}

/// What may have been reserved is released: where a statement may still come to reserve, not before
/// it is too late for that.
void Reserving::undo() {
  const auto from = in_doubt_ ? doubt_ends_ : first_sent_;
  const auto lease_ends = std::max(from, first_sent_) + lease_ + renewal_max(lease_);
  work_.retained.undo(fingerprint_, nonce_, from, lease_ends);
  in_doubt_ = false;
}

void Reserving::finish(ReserveResult result) {
  Call<ReserveResult>& call = *std::exchange(call_, nullptr);
  if (is_duplicate(result)) note_duplicate(work_, *request_);
  if (queued_at_ != SteadyClock::time_point()) call.turn_wait = SteadyClock::now() - queued_at_;
  stop_waiting();
  const bool waited = waits_ == Waits::outcome;
  const bool got_it = std::holds_alternative<Reserved>(result);
  const bool repeats = std::holds_alternative<Completed>(result);
  if (!asking_) {
    if (in_doubt_ && !got_it) undo();
    leave_queue();
  }
  request_ = nullptr;
  room_.reset();
  call.result.emplace(std::move(result));
  call.next = nullptr;
  call.loop.deliver(&call);
  // The next one that waits finds the answer in memory; or it was this one's turn to look, and it
  // gave up.
  if (repeats || (waited && !got_it)) work_.outcomes.wake(fingerprint_.bytes);
  dispose();
}

void Reserving::dispose() {
  if (asking_) return;
  const bool free = (waits_ == Waits::turn ? work_.turns : work_.outcomes).quiet(place_);
  if (free) delete this;
}

}  // namespace onceproxy::store
