// What the answer to one reserve means: whether the standbys must confirm it first, and what its
// caller gets.
#include <algorithm>
#include <utility>

#include "store/lease.hpp"
#include "store/postgres/failure.hpp"
#include "store/postgres/reserve_columns.hpp"
#include "store/postgres/reserving.hpp"
#include "store/record.hpp"
#include "store/subject.hpp"

namespace onceproxy::store {

using std::chrono::milliseconds;
using Reason = Unavailable::Reason;

namespace {

/// How long a caller is asked to wait if its answer repeats a row that the standbys did not confirm
/// in time.
constexpr milliseconds unconfirmed_left{1'000};

/// Whether the answer repeats what a row says. Such an answer is given only when the standbys have
/// that row.
bool stands_on_row(int what, const pq::Row& row) {
  return what == code::completed || what == code::mismatch || what == code::stale ||
         what == code::closed || (what == code::reserved && !row.null(o_lsn));
}

}  // namespace

void Reserving::decide(Reply reply) {
  const pq::Row row = reply.row();
  const auto what = static_cast<int>(row.number(o_code));
  if (reply.unconfirmed && (what == code::reserved || stands_on_row(what, row))) {
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
      // After a failover the row may be lost with the old primary.
      doubt();
      if (++tries_ <= work_.tuning.retries_max && SteadyClock::now() < deadline) {
        ask_again();
        return;
      }
      break;
    case Confirmation::Outcome::unconfirmed:
      break;
  }
  work_.failed(trouble::unconfirmed, "no standby confirmed the row that an answer repeats");
  if (reply.row().number(o_code) == code::reserved) {
    undo();
    finish(failed());
  } else {
    finish(Held{unconfirmed_left});
  }
}

void Reserving::conclude(const Reply& reply) {
  const pq::Row row = reply.row();
  const milliseconds left(row.number(o_number));
  switch (row.number(o_code)) {
    case code::reserved:
      statement == Statement::accept ? accepted(row) : reserved(row);
      return;
    case code::events_full:
      finish(Unavailable{Reason::events});
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
      finish(failed());
      return;
    default:
      // The statement arrived too late, and did nothing.
      work_.failed(trouble::timeout, "the operation came to the server too late");
      finish(failed());
  }
}

void Reserving::reserved(const pq::Row& row) {
  Holding holding;
  holding.nonce = nonce_;
  holding.fence = static_cast<std::uint64_t>(row.number(o_number));
  holding.payload = request_->payload;
  holding.terms = request_->terms;
  // The function found the reservation of an earlier statement of this call.
  const bool found = in_doubt_ && !row.null(o_confirmed);
  const auto since = found ? doubt_began_ : first_sent_;
  holding.lease_ends = since + lease_;
  holding.renew = since + renewed_after(lease_);
  if (in_doubt_) holding.doubt_ends = doubt_ends_;
  holding.cached = !request_->may_be_ended;
  holding.alone = !request_->entity;
  if (request_->trace.size() <= trace_bytes_max) holding.trace = request_->trace;
  if (holding.lease_ends <= SteadyClock::now()) {
    // The call took longer than the lease.
    undo();
    finish(failed());
    return;
  }
  const auto attempt = static_cast<std::uint32_t>(row.number(o_attempt));
  if (work_.audit != nullptr) {
    std::string bytes;
    note_forward(holding.fence, attempt, bytes);
    work_.audit->write(bytes, 1);
  }
  const std::uint64_t fence = holding.fence;
  work_.holdings.add(fingerprint_, std::move(holding));
  queued_.reset();  // the reservation took its place
  finish(Reserved{Permit(work_.permits, fingerprint_, nonce_, fence), attempt});
}

void Reserving::note_forward(std::uint64_t fence, std::uint32_t attempt, std::string& bytes) const {
  AuditForward entry{
      work_.clock.now(),  fence, attempt, fingerprint_, request_->policy, request_->request_id,
      request_->trace_id, {}};
  entry.subject.path = request_->path.substr(0, path_bytes_max);
  if (request_->entity) {
    entry.subject.entity_type = request_->entity->type.substr(0, entity_type_bytes_max);
    entry.subject.entity_id = request_->entity->id.substr(0, entity_id_bytes_max);
  }
  append(bytes, entry);
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
    // The row was read after the statement was sent, so the time counts from there.
    const milliseconds left(row.number(o_expires) - row.number(o_now));
    const auto until = sent + std::min(work_.tuning.recent, left);
    std::optional<PayloadDigest> payload;
    if (!row.null(o_payload)) row.into(o_payload, payload.emplace().bytes);
    work_.recent.add(fingerprint_, {payload, answer, at, trace, until}, SteadyClock::now());
  }
  finish(Completed{std::move(answer), at, std::move(trace)});
}

}  // namespace onceproxy::store
