#include "store/postgres/deed.hpp"

#include <utility>

#include "store/postgres/failure.hpp"
#include "store/postgres/poll_loop.hpp"

namespace onceproxy::store {

Deed::Confirming::Confirming(Loop& loop, Deed& whose) : Confirmation(loop), owner(whose) {
  resume = [](CallBase& base) { static_cast<Confirming&>(base).owner.confirmed(); };
}

void Deed::begin(const Work& work, Channel& channel, bool on_thread, Statement statement,
                 Task task) {
  auto* const deed = new Deed(work, channel, statement, std::move(task));  // owns itself
  if (on_thread) {
    deed->send();
  } else {
    post(channel.loop(), [deed] { deed->send(); });
  }
}

void Deed::retry(Channel& channel) {
  channel_ = &channel;
  tries_ = 0;
  send();
}

void Deed::send() {
  if (tries_ == 0) deadline = SteadyClock::now() + work_.options.operation_timeout;
  // While the circuit is open, nobody waits for the database.
  const bool try_it = !work_.circuit.open() || told_;
  if (try_it && channel_->send(*this)) return;
  work_.failed(try_it ? trouble::full : trouble::circuit, "the ledger cannot be written now");
  give_up();
}

void Deed::bind(pq::Params& params, const Server& server) const {
  task_.bind(params);
  params.number(not_after(server));
  params.flag(work_.quorum());
}

void Deed::replied(Reply reply) {
  if (!reply.good() || reply.rows() != 1) {
    trouble(reply);
    return;
  }
  const pq::Row row = reply.row();
  const auto what = static_cast<int>(row.number(o_code));
  if (what == code::too_late || what == code::unsafe) {
    work_.failed(what == code::unsafe ? trouble::unsafe : trouble::timeout,
                 "the ledger was not written");
    give_up();
    return;
  }
  const bool changed = what == code::done || what == code::closed;
  if (changed) {
    work_.circuit.answered();
    if (work_.observer.committed) work_.observer.committed(SteadyClock::now() - sent);
  }
  if (reply.unconfirmed) {
    work_.failed(trouble::unconfirmed, "a commit did not wait for its standby");
  }
  const bool repeats = !row.null(o_lsn) && !row.flag(o_confirmed);
  const bool doubtful =
      changed && row.null(o_lsn) && SteadyClock::now() - sent > work_.tuning.commit_slow;
  if (reply.unconfirmed || (work_.quorum() && (repeats || doubtful))) {
    confirm(std::move(reply));
  } else {
    conclude(reply);
  }
}

void Deed::confirm(Reply reply) {
  if (is_late) {
    // The caller was answered, and the loop that this runs on may be about to end.
    give_up();
    return;
  }
  const pq::Row row = reply.row();
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

void Deed::confirmed() {
  const Reply reply = std::exchange(kept_, Reply{});
  if (confirming_->outcome == Confirmation::Outcome::confirmed) {
    conclude(reply);
    return;
  }
  const bool elsewhere = confirming_->outcome == Confirmation::Outcome::elsewhere;
  if (elsewhere && task_.repeatable && ++tries_ <= work_.tuning.retries_max &&
      SteadyClock::now() < deadline) {
    send();
    return;
  }
  give_up();
}

void Deed::conclude(const Reply& reply) {
  const std::unique_ptr<Deed> self(this);
  if (!told_ || task_.keep) task_.done(reply.row(), sent);
}

void Deed::late() {
  if (told_) return;
  Counters::add(work_.counters.timeouts);
  work_.failed(trouble::timeout, "the ledger was not written in time");
  tell_failed();
}

void Deed::trouble(const Reply& reply) {
  const Failure failure =
      reply.lost ? Failure{trouble::lost, true, true} : failure_of(reply.sqlstate);
  work_.failed(failure.kind, reply.error);
  if (failure.retry && (task_.repeatable || !reply.lost) && ++tries_ <= work_.tuning.retries_max &&
      SteadyClock::now() < deadline && !is_late && !work_.closing.load()) {
    work_.counters.retry(failure.kind);
    send();
    return;
  }
  give_up();
}

void Deed::tell_failed() {
  if (std::exchange(told_, true)) return;
  task_.failed();
}

void Deed::give_up() {
  std::unique_ptr<Deed> self(this);
  confirming_.reset();
  tell_failed();
  if (!task_.keep) return;
  const auto keep = task_.keep;  // it may destroy this
  keep(std::move(self));
}

}  // namespace onceproxy::store
