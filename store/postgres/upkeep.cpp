#include "store/postgres/upkeep.hpp"

#include <algorithm>
#include <limits>
#include <unordered_map>
#include <utility>

#include "store/lease.hpp"
#include "store/postgres/failure.hpp"
#include "store/postgres/one_query.hpp"

namespace onceproxy::store {

using std::chrono::milliseconds;

namespace {

/// How often the counts of the last sweep are read.
constexpr std::chrono::seconds count_interval{10};

/// The SQLSTATE of a statement that took too long.
constexpr std::string_view query_canceled = "57014";

}  // namespace

Upkeep::Upkeep(Work& work, Channel& house, Unwritten& retained, NoteTable& notes,
               LedgerUpkeep& ledger, Flags& flags)
    : work_(work),
      house_(house),
      retained_(retained),
      notes_(notes),
      ledger_(ledger),
      flags_(flags),
      sweep_pages_(work.tuning.sweep_pages) {}

void Upkeep::start() {
  tick();
}

void Upkeep::wait() {
  timer_ = house_.loop().timer(work_.tuning.tick, [this] { tick(); });
}

void Upkeep::tick() {
  if (stopped_) return;
  const auto now = SteadyClock::now();
  if (const std::size_t ended = work_.holdings.end_leases(now); ended > 0) {
    work_.counters.leases_lost.fetch_add(ended, std::memory_order_relaxed);
    if (work_.observer.event) {
      work_.observer.event("leases of " + std::to_string(ended) +
                           " reservations ended, since the database did not renew them");
    }
  }
  flags_.hears.store(house_.hears());
  // What was said while no session listened is lost. An operator may have released an operation.
  if (std::exchange(listeners_, house_.listeners()) != house_.listeners()) {
    work_.holdings.doubt_all();
  }
  renew();
  if (work_.circuit.open() && now >= next_probe_) {
    next_probe_ = now + work_.tuning.probe;
    probe();
  }
  if (now >= next_retry_) {
    next_retry_ = now + work_.tuning.retained_pause;
    retained_.retry();
  }
  ledger_.tick(now);
  if (now >= next_beat_ && !work_.circuit.open()) {
    next_beat_ = now + work_.tuning.beat;
    beat();
  }
  wait();
}

void Upkeep::renew() {
  if (renewing_ > 0) return;
  std::vector<Holdings::Due> due = work_.holdings.due(SteadyClock::now());
  const std::size_t most = work_.tuning.renewals_max;
  for (std::size_t at = 0; at < due.size(); at += most) {
    const auto first = due.begin() + static_cast<std::ptrdiff_t>(at);
    const auto count = std::min(most, due.size() - at);
    renew({first, first + static_cast<std::ptrdiff_t>(count)});
  }
}

void Upkeep::renew(std::vector<Holdings::Due> batch) {
  ++renewing_;
  const auto sent = SteadyClock::now();
  const auto shared = std::make_shared<const std::vector<Holdings::Due>>(std::move(batch));
  OneQuery::send(
      house_, Statement::renew, work_.options.operation_timeout,
      [shared, quorum = work_.quorum()](pq::Params& params) {
        std::vector<std::string_view> fingerprints;
        std::vector<std::string_view> nonces;
        std::vector<std::int64_t> leases;
        std::vector<std::int64_t> slacks;
        for (const Holdings::Due& due : *shared) {
          fingerprints.push_back(due.fingerprint.view());
          nonces.emplace_back(reinterpret_cast<const char*>(due.nonce.data()), due.nonce.size());
          leases.push_back(due.lease.count());
          slacks.push_back(renewal_max(due.lease).count());
        }
        params.array(fingerprints);
        params.array(nonces);
        params.array(leases);
        params.array(slacks);
        // A late renewal only affects reservations that still belong to this instance.
        params.number(std::numeric_limits<std::int64_t>::max());
        params.flag(quorum);
      },
      [this, shared, sent](const Reply& reply) {
        --renewing_;
        if (!reply.good() || reply.unconfirmed) {
          const std::string_view kind = reply.lost          ? trouble::lost
                                        : reply.unconfirmed ? trouble::unconfirmed
                                                            : failure_of(reply.sqlstate).kind;
          work_.failed(kind, "leases could not be renewed: " + reply.error);
          return;
        }
        std::unordered_map<std::string_view, bool> told;
        for (int i = 0; i < reply.rows(); ++i) {
          const pq::Row row(reply.result.get(), i);
          told.emplace(row.bytes(0), row.flag(1));
        }
        for (const Holdings::Due& due : *shared) {
          const auto found = told.find(due.fingerprint.view());
          if (found == told.end()) continue;  // another transaction has the row: tried again
          if (found->second) {
            work_.holdings.renewed(due, sent);
          } else {
            // An operator has ended it, or it was settled meanwhile.
            work_.holdings.lose(due);
          }
        }
      });
}

/// A commit that waits for the standbys as every other one. It is not given up while it waits,
/// because another probe would wait as long and take another session of the server.
void Upkeep::probe() {
  if (probing_) return;
  probing_ = true;
  OneQuery::send(house_, Statement::barrier, work_.options.operation_timeout, nullptr,
                 [this](const Reply& reply) {
                   probing_ = false;
                   if (!reply.good() || reply.unconfirmed) return;
                   if (work_.circuit.close() && work_.observer.event) {
                     work_.observer.event("the database answers again");
                   }
                 });
}

void Upkeep::beat() {
  if (beating_) return;
  beating_ = true;
  const auto sent = SteadyClock::now();
  OneQuery::send(
      house_, Statement::beat, work_.options.operation_timeout,
      [this](pq::Params& params) { params.nonce(work_.instance); },
      [this, sent](const Reply& reply) {
        beating_ = false;
        if (reply.good()) ledger_.alive(sent);
        if (!reply.good() && !reply.lost) {
          work_.failed(failure_of(reply.sqlstate).kind, "upkeep: " + reply.error);
        }
      });
  look();
  sweep();
  ledger_.beat();
  write_duplicates();
  write_notes();
  if (SteadyClock::now() >= next_count_) {
    next_count_ = SteadyClock::now() + count_interval;
    count();
  }
}

/// The settings that the start has checked may have changed since.
void Upkeep::look() {
  OneQuery::send(house_, Statement::look, work_.options.operation_timeout, nullptr,
                 [this, sent = SteadyClock::now()](const Reply& reply) {
                   if (!reply.good() || reply.rows() != 1) return;
                   const pq::Row row = reply.row();
                   for (const std::string& said :
                        server_clock_.looked(row.number(0), sent, SteadyClock::now(), wall_ms())) {
                     if (work_.observer.event) work_.observer.event(said);
                   }
                   looked(reply);
                   const bool safe = row.flag(1) && (work_.quorum() ? row.flag(2) : row.flag(3));
                   if (flags_.unsafe.exchange(!safe) == safe && work_.observer.event) {
                     work_.observer.event(
                         safe ? "the server's settings are safe again"
                              : "the server's settings may lose committed transactions: fsync, "
                                "synchronous_commit or synchronous_standby_names was changed");
                   }
                 });
}

/// Whether commits succeed is known from operations. An instance that gets only duplicates commits
/// nothing but its heartbeat, so it would remember its last failure for good, and send each
/// operation by itself. What was in the log at the last look, with the heartbeat of then, is
/// confirmed now, and no operation has failed since.
void Upkeep::looked(const Reply& reply) {
  const pq::Row row = reply.row();
  const auto confirmed = row.null(4) ? 0 : static_cast<std::uint64_t>(row.number(4));
  const bool commits =
      reply.epoch == epoch_ && log_end_ != 0 && (!work_.quorum() || confirmed >= log_end_);
  const unsigned failures = work_.circuit.failures();
  if (commits && failures == std::exchange(failures_, failures)) work_.circuit.answered();
  failures_ = failures;
  log_end_ = static_cast<std::uint64_t>(row.number(5));
  epoch_ = reply.epoch;
}

void Upkeep::sweep() {
  if (sweeping_) return;
  sweeping_ = true;
  OneQuery::send(
      house_, Statement::sweep, work_.options.operation_timeout,
      [this](pq::Params& params) {
        params.number(sweep_pages_);
        params.number(wall_ms());
      },
      [this](const Reply& reply) {
        sweeping_ = false;
        // What did not fit into the time of a statement was undone, so it is tried in smaller
        // parts. Rows with large answers take much longer than others.
        if (reply.sqlstate == query_canceled) sweep_pages_ = std::max(sweep_pages_ / 4, 1);
        if (reply.good()) sweep_pages_ = std::min(sweep_pages_ * 2, work_.tuning.sweep_pages);
        if (!reply.good() && !reply.lost) {
          work_.failed(failure_of(reply.sqlstate).kind, "removing expired rows: " + reply.error);
        }
      });
}

void Upkeep::count() {
  OneQuery::send(house_, Statement::counted, work_.options.operation_timeout, nullptr,
                 [this](const Reply& reply) {
                   if (!reply.good() || reply.rows() != 1) return;
                   const pq::Row row = reply.row();
                   flags_.table_bytes = static_cast<std::uint64_t>(row.number(4));
                   flags_.records_estimate = static_cast<std::uint64_t>(row.number(5));
                   const std::lock_guard lock(mutex_);
                   counts_.known = row.flag(0);
                   counts_.reserved = static_cast<std::uint64_t>(row.number(1));
                   counts_.completed = static_cast<std::uint64_t>(row.number(2));
                   counts_.unknown = static_cast<std::uint64_t>(row.number(3));
                 });
  OneQuery::send(
      house_, Statement::counted_unknown, work_.options.operation_timeout, nullptr,
      [this](const Reply& reply) {
        if (!reply.good()) return;
        std::vector<UnknownRecords> found;
        for (int i = 0; i < reply.rows(); ++i) {
          const pq::Row row(reply.result.get(), i);
          found.push_back({row.text(1), row.flag(0), static_cast<std::uint64_t>(row.number(2)),
                           milliseconds(std::max<std::int64_t>(row.number(3), 0))});
        }
        const std::lock_guard lock(mutex_);
        counts_.unknown_by_policy = std::move(found);
      });
}

RecordCounts Upkeep::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

/// Counts are for operators only, so losing some of them is acceptable.
void Upkeep::write_duplicates() {
  const auto taken = std::make_shared<const std::vector<std::pair<Fingerprint, DuplicateCount>>>(
      work_.duplicates.take(work_.tuning.duplicates_per_beat));
  if (taken->empty()) return;
  OneQuery::send(house_, Statement::count_duplicates, work_.options.operation_timeout,
                 [taken](pq::Params& params) {
                   std::vector<std::string_view> fingerprints;
                   std::vector<std::int64_t> numbers;
                   std::vector<std::int64_t> last;
                   std::vector<std::int64_t> expires;
                   for (const auto& [fingerprint, count] : *taken) {
                     fingerprints.push_back(fingerprint.view());
                     numbers.push_back(static_cast<std::int64_t>(count.number));
                     last.push_back(count.last.time_since_epoch().count());
                     expires.push_back(count.expires.time_since_epoch().count());
                   }
                   params.array(fingerprints);
                   params.array(numbers);
                   params.array(last);
                   params.array(expires);
                 });
}

void Upkeep::write_notes() {
  if (notes_under_way_ > 0) return;
  const auto changed = notes_.take();
  notes_under_way_ = changed.size();
  notes_good_ = true;
  for (const auto& [name, value] : changed) {
    OneQuery::send(
        house_, Statement::keep_note, work_.options.operation_timeout,
        // A row with an empty value stands for a note that was removed.
        [name = name, value = value.value_or(std::string())](pq::Params& params) {
          params.bytes(name);
          params.bytes(value);
        },
        [this](const Reply& reply) {
          notes_good_ = notes_good_ && reply.good();
          if (--notes_under_way_ == 0) notes_.written(notes_good_);
        });
  }
}

void Upkeep::stop(std::function<void()> done) {
  stopped_ = true;
  timer_.reset();
  write_notes();
  OneQuery::send(
      house_, Statement::leave, work_.options.operation_timeout,
      [this](pq::Params& params) { params.nonce(work_.instance); },
      [done = std::move(done)](const Reply&) { done(); });
}

}  // namespace onceproxy::store
