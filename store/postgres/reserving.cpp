#include "store/postgres/reserving.hpp"

#include <algorithm>
#include <utility>

#include "store/judgement.hpp"
#include "store/lease.hpp"
#include "store/postgres/failure.hpp"
#include "store/postgres/nonce.hpp"
#include "store/postgres/poll_loop.hpp"
#include "store/postgres/reserve_columns.hpp"
#include "store/postgres/unwritten.hpp"

namespace onceproxy::store {

using std::chrono::milliseconds;
using Reason = Unavailable::Reason;

namespace {

/// How long a caller is asked to wait if the outcome of its operation could not be written yet.
constexpr milliseconds unwritten_left{1'000};

/// How much a deadline by the server's clock may be off.
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

}  // namespace

Reserving::Place::Place(Loop& loop, Reserving& whose) : WaitingCall(loop), owner(whose) {
  resume = [](CallBase& base) { static_cast<Place&>(base).owner.woken(); };
}

Reserving::Confirming::Confirming(Loop& loop, Reserving& whose) : Confirmation(loop), owner(whose) {
  resume = [](CallBase& base) { static_cast<Confirming&>(base).owner.confirmed(); };
}

Reserving::Reserving(Work& work, Channel& channel, const ReserveRequest& request,
                     Call<ReserveResult>& call)
    : Query(request.event != nullptr ? Statement::accept : Statement::reserve),
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

/// Answers that need no database: a completion that was confirmed a moment ago, an operation that
/// is under way here, or a store that has failed.
std::optional<ReserveResult> Reserving::known_here(Work& work, const ReserveRequest& request) {
  if (work.closing.load(std::memory_order_acquire)) return Unavailable{Reason::closing};
  const auto now = SteadyClock::now();
  if (!request.may_be_ended) {
    if (const auto recent = work.recent.find(request.fingerprint, now)) {
      Counters::add(work.counters.cache_hits);
      if (differ(recent->payload, request.payload)) return Mismatch{};
      return Completed{recent->answer, recent->completed_at, recent->trace};
    }
  }
  const bool open = work.circuit.open();
  const bool failing = open || work.unsafe.load(std::memory_order_relaxed);
  // This is checked also while the database is not asked, and then beyond the end of the lease as
  // long as the outcome waits to be written. Otherwise a policy that forwards without the store
  // would execute the operation twice.
  const auto known_at = failing ? SteadyClock::time_point() : now;
  if (const auto held = work.holdings.glance(request.fingerprint, request.payload, known_at)) {
    if (held->differs) return Mismatch{};
    if (failing && held->settling) return Held{unwritten_left};
    // An outcome that is being written may have been replayed by another instance.
    if (failing || (request.wait <= milliseconds(0) && !held->settling)) return InFlight{};
  }
  if (open) {
    work.failed(trouble::circuit, "the database does not answer, and is not waited for");
    return Unavailable{Reason::failed};
  }
  if (failing) {
    work.failed(trouble::unsafe, "the server's settings may lose committed transactions");
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

/// Begins a new attempt. An earlier doubt remains, because an answer says nothing about a commit
/// that is not visible yet.
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
  finish(failed());
}

void Reserving::replied(Reply reply) {
  asking_ = false;
  if (call_ == nullptr) {
    // The call was answered as Unavailable long ago.
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
    // Only a commit shows that the database works; reads are answered also without standbys.
    work_.circuit.answered();
    if (work_.observer.committed) work_.observer.committed(SteadyClock::now() - sent);
  }
  decide(std::move(reply));
}

/// Only if it locks and writes nothing but its record, and commits as all others.
bool Reserving::shares() const {
  return statement == Statement::reserve && call_ != nullptr && tries_ == 0 && !in_doubt_ &&
         waits_ == Waits::nothing && !request_->entity && !request_->rate;
}

void Reserving::late() {
  if (call_ == nullptr) return;
  Counters::add(work_.counters.timeouts);
  work_.failed(trouble::timeout, "a reservation was not answered in time");
  finish(failed());
}

void Reserving::trouble(const Reply& reply) {
  const Failure failure =
      reply.lost ? Failure{trouble::lost, true, true} : failure_of(reply.sqlstate);
  work_.failed(failure.kind, reply.error);
  if (reply.lost || failure.leave) doubt();
  if (failure.retry && tries_ < work_.tuning.retries_max && SteadyClock::now() < deadline &&
      !work_.closing.load()) {
    ++tries_;
    work_.counters.retry(failure.kind);
    ask_again();
    return;
  }
  finish(failed());
}

/// Whether a statement was executed is unknown.
void Reserving::doubt() {
  if (!in_doubt_) doubt_began_ = first_sent_;
  in_doubt_ = true;
  doubt_ends_ = deadline + clocks_differ;
  if (turn_of_) queued_ = turn_of_;
}

/// Releases what may have been reserved. If a statement may still be executed, not before it is too
/// late for that.
void Reserving::undo() {
  if (statement == Statement::accept) {
    in_doubt_ = false;
    return;
  }
  const auto from = in_doubt_ ? doubt_ends_ : first_sent_;
  const auto lease_ends = std::max(from, first_sent_) + lease_ + renewal_max(lease_);
  work_.retained.undo(fingerprint_, nonce_, from, lease_ends);
  in_doubt_ = false;
}

/// The result of a call that the database did not answer. If this process holds the reservation,
/// a policy that forwards without the store must not do so.
ReserveResult Reserving::failed() const {
  const auto held =
      work_.holdings.glance(fingerprint_, request_->payload, SteadyClock::time_point());
  if (!held) return Unavailable{Reason::failed};
  if (held->differs) return Mismatch{};
  if (held->settling) return Held{unwritten_left};
  return InFlight{};
}

void Reserving::finish(ReserveResult result) {
  Call<ReserveResult>& call = *std::exchange(call_, nullptr);
  if (is_duplicate(result)) note_duplicate(work_, *request_);
  if (queued_at_ != SteadyClock::time_point()) call.turn_wait = SteadyClock::now() - queued_at_;
  stop_waiting();
  const bool waited = waits_ == Waits::outcome;
  const bool got_it = std::holds_alternative<Reserved>(result);
  const bool repeats =
      std::holds_alternative<Completed>(result) || std::holds_alternative<Accepted>(result);
  if (!asking_) {
    if (in_doubt_ && !got_it) undo();
    leave_queue();
  }
  request_ = nullptr;
  room_.reset();
  call.result.emplace(std::move(result));
  call.next = nullptr;
  call.loop.deliver(&call);
  // Wakes the next waiting call: it finds the answer in memory, or this call was the one to query
  // the database and has given up.
  if (repeats || (waited && !got_it)) work_.outcomes.wake(fingerprint_.bytes);
  dispose();
}

void Reserving::dispose() {
  if (asking_) return;
  const bool free = (waits_ == Waits::turn ? work_.turns : work_.outcomes).quiet(place_);
  if (free) delete this;
}

}  // namespace onceproxy::store
