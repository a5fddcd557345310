#include "store/postgres/settling.hpp"

#include <algorithm>
#include <utility>

#include "store/lease.hpp"
#include "store/postgres/failure.hpp"
#include "store/postgres/poll_loop.hpp"
#include "store/postgres/telling.hpp"
#include "store/postgres/unwritten.hpp"
#include "store/record.hpp"

namespace onceproxy::store {

using std::chrono::milliseconds;

namespace {

/// The columns that complete(), release() and mark_unknown() have in common, and those of
/// complete().
enum Column {
  o_code,
  o_now,
  o_awaited,
  o_queued,
  o_entity,
  o_lsn,
  o_confirmed,
  o_settled,
  o_expires,
  o_flag,
  o_payload
};

AuditEnding::How how(Statement verb) {
  switch (verb) {
    case Statement::complete:
      return AuditEnding::How::completed;
    case Statement::release:
      return AuditEnding::How::released;
    default:
      return AuditEnding::How::unknown;
  }
}

}  // namespace

Settling::Confirming::Confirming(Loop& loop, Settling& whose) : Confirmation(loop), owner(whose) {
  resume = [](CallBase& base) { static_cast<Confirming&>(base).owner.confirmed(); };
}

Settling::Settling(Work& work, Channel& channel, Statement verb, What what, Call<Settled>* call)
    : Query(verb), work_(work), channel_(&channel), what_(std::move(what)), call_(call) {}

void Settling::begin(Work& work, Channel& channel, bool on_thread, Statement verb, What what,
                     Call<Settled>& call) {
  auto* const settling = new Settling(work, channel, verb, std::move(what), &call);  // owns itself
  if (on_thread) {
    settling->send();
  } else {
    post(channel.loop(), [settling] { settling->send(); });
  }
}

std::unique_ptr<Settling> Settling::undo(Work& work, Channel& house, What what) {
  what.undo = true;
  std::unique_ptr<Settling> out(
      new Settling(work, house, Statement::release, std::move(what), nullptr));
  out->again_ = true;
  return out;
}

void Settling::retry(Channel& channel) {
  channel_ = &channel;
  tries_ = 0;
  send();
}

void Settling::send() {
  if (tries_ == 0) deadline = SteadyClock::now() + work_.options.operation_timeout;
  // While the circuit is open, no call waits for the database.
  const bool try_it = !work_.circuit.open() || call_ == nullptr;
  if (try_it && channel_->send(*this)) return;
  work_.failed(try_it ? trouble::full : trouble::circuit, "an outcome cannot be written now");
  answer(Settled::failed);
  keep();
}

void Settling::bind(pq::Params& params, const Server& server) const {
  const Terms& terms = what_.holding.terms;
  params.digest(what_.fingerprint);
  params.nonce(what_.nonce);
  if (statement == Statement::complete) {
    params.number(terms.window.count());
    params.number(what_.answer.status);
    params.flag(what_.answer.replayable);
    params.number(static_cast<std::int64_t>(what_.answer.not_kept));
    params.bytes(what_.answer.head);
    params.bytes(what_.answer.body);
    if (what_.ends.empty()) {
      params.null();
    } else {
      std::vector<std::string_view> ends;
      for (const Fingerprint& ended : what_.ends) ends.push_back(ended.view());
      params.array(ends);
    }
    params.flag(again_);
  } else if (statement == Statement::release) {
    params.flag(again_);
  } else {
    params.number(terms.lease.count());
    params.number(terms.window.count());
    params.bytes(std::string_view(what_.error).substr(0, error_bytes_max));
  }
  params.number(not_after(server));
  params.flag(work_.quorum());
}

void Settling::replied(Reply reply) {
  if (!reply.good() || reply.rows() != 1) {
    trouble(reply);
    return;
  }
  const pq::Row row = reply.row();
  const auto what = static_cast<int>(row.number(o_code));
  if (what == code::refused) {
    work_.holdings.end(what_.fingerprint, what_.nonce);
    answer(Settled::refused);
    delete this;
    return;
  }
  if (what != code::done) {
    work_.failed(what == code::unsafe ? trouble::unsafe : trouble::timeout,
                 "an outcome was not written");
    answer(Settled::failed);
    keep();
    return;
  }
  work_.circuit.answered();
  if (work_.observer.committed) work_.observer.committed(SteadyClock::now() - sent);
  const bool unconfirmed = work_.quorum() && !row.null(o_lsn) && !row.flag(o_confirmed);
  const bool doubtful =
      work_.quorum() && row.null(o_lsn) && SteadyClock::now() - sent > work_.tuning.commit_slow;
  if (!reply.unconfirmed && !unconfirmed && !doubtful) {
    done(row);
    return;
  }
  if (reply.unconfirmed) {
    work_.failed(trouble::unconfirmed, "a commit did not wait for its standby");
  }
  if (is_late) {
    // The caller was answered, and the loop that this runs on may be about to end.
    keep();
    return;
  }
  // If the row was just committed, the look reads the current end of the log.
  const auto lsn =
      reply.unconfirmed || row.null(o_lsn) ? 0 : static_cast<std::uint64_t>(row.number(o_lsn));
  kept_ = std::move(reply);
  confirming_.emplace(channel_->loop(), *this);
  confirming_->lsn = lsn;
  confirming_->epoch = kept_.epoch;
  confirming_->until = SteadyClock::now() + work_.tuning.confirm_max;
  work_.confirmer.wait(*confirming_);
}

void Settling::confirmed() {
  const Reply reply = std::exchange(kept_, Reply{});
  if (confirming_->outcome == Confirmation::Outcome::confirmed) {
    done(reply.row());
    return;
  }
  again_ = true;
  if (confirming_->outcome == Confirmation::Outcome::elsewhere &&
      ++tries_ <= work_.tuning.retries_max && SteadyClock::now() < deadline) {
    send();
    return;
  }
  answer(Settled::failed);
  keep();
}

bool Settling::shares() const {
  return statement == Statement::complete && call_ != nullptr && !again_ && what_.ends.empty() &&
         what_.holding.alone &&
         what_.answer.head.size() + what_.answer.body.size() <= work_.tuning.batched_bytes_max;
}

void Settling::late() {
  if (call_ == nullptr) return;
  Counters::add(work_.counters.timeouts);
  work_.failed(trouble::timeout, "an outcome was not written in time");
  answer(Settled::failed);
}

void Settling::trouble(const Reply& reply) {
  const Failure failure =
      reply.lost ? Failure{trouble::lost, true, true} : failure_of(reply.sqlstate);
  work_.failed(failure.kind, reply.error);
  again_ = true;
  if (failure.retry && ++tries_ <= work_.tuning.retries_max && SteadyClock::now() < deadline &&
      !is_late && !work_.closing.load()) {
    work_.counters.retry(failure.kind);
    send();
    return;
  }
  answer(Settled::failed);
  keep();
}

void Settling::done(const pq::Row& row) {
  const bool completes = statement == Statement::complete;
  work_.holdings.end(what_.fingerprint, what_.nonce);
  if (completes) remember(row);
  if (statement == Statement::release) release_again();
  for (const Fingerprint& ended : what_.ends) work_.recent.forget(ended);
  if (!what_.undo) write_down();
  work_.outcomes.wake(what_.fingerprint.bytes);
  if (row.flag(o_awaited)) {
    tell_others(*channel_, work_.options, telling::outcome, what_.fingerprint);
  }
  if (row.flag(o_queued)) {
    EntityKey entity;
    row.into(o_entity, entity.bytes);
    work_.turns.wake(entity.bytes);
    tell_others(*channel_, work_.options, telling::turn, entity);
  }
  answer(Settled::done);
  delete this;
}

/// A statement of the reserve that was lost may still find no record, and reserve once more for
/// nobody.
void Settling::release_again() const {
  const auto from = what_.holding.doubt_ends;
  if (what_.undo || from <= SteadyClock::now()) return;
  const milliseconds lease = what_.holding.terms.lease;
  work_.retained.undo(what_.fingerprint, what_.nonce, from, from + lease + renewal_max(lease));
}

/// A duplicate within the next second is answered from memory.
void Settling::remember(const pq::Row& row) {
  if (!what_.holding.cached || row.flag(o_flag)) return;
  RecentAnswer recent;
  if (!row.null(o_payload)) row.into(o_payload, recent.payload.emplace().bytes);
  recent.answer = std::move(what_.answer);  // only the status is used after this
  recent.completed_at = WallTime(milliseconds(row.number(o_settled)));
  recent.trace = what_.holding.trace;
  const milliseconds left(row.number(o_expires) - row.number(o_now));
  recent.until = sent + std::min(work_.tuning.recent, left);
  work_.recent.add(what_.fingerprint, std::move(recent), SteadyClock::now());
}

void Settling::write_down() {
  if (work_.audit == nullptr) return;
  std::string bytes;
  const int status = statement == Statement::complete ? what_.answer.status : what_.status;
  append(bytes,
         AuditEnding{work_.clock.now(), what_.holding.fence, how(statement), status, what_.error});
  work_.audit->write(bytes, 1);
}

void Settling::answer(Settled settled) {
  Call<Settled>* const call = std::exchange(call_, nullptr);
  if (call == nullptr) return;
  call->result = settled;
  call->next = nullptr;
  call->loop.deliver(call);
}

void Settling::keep() {
  again_ = true;
  confirming_.reset();
  work_.retained.keep(std::unique_ptr<Settling>(this));
}

void Settling::give_up() {
  work_.holdings.end(what_.fingerprint, what_.nonce);
  if (what_.undo || work_.audit == nullptr) return;
  std::string bytes;
  append(bytes, AuditEnding{work_.clock.now(), what_.holding.fence, AuditEnding::How::unknown, 0,
                            "the outcome could not be written before the lease ended"});
  work_.audit->write(bytes, 1);
}

std::size_t Settling::bytes() const {
  return sizeof *this + what_.answer.head.size() + what_.answer.body.size() + what_.error.size() +
         what_.ends.size() * sizeof(Fingerprint);
}

}  // namespace onceproxy::store
