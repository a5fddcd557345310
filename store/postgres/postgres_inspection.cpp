#include "store/postgres/postgres_inspection.hpp"

#include <algorithm>
#include <utility>

#include "store/postgres/failure.hpp"
#include "store/postgres/poll_loop.hpp"
#include "store/postgres/telling.hpp"
#include "store/record.hpp"

namespace onceproxy::store {

using std::chrono::milliseconds;

namespace {

enum Column {
  c_fingerprint,
  c_state,
  c_nonce,
  c_fence,
  c_attempt,
  c_created,
  c_settled,
  c_lease_ends,
  c_expires,
  c_policy,
  c_request_id,
  c_path,
  c_entity_type,
  c_entity_id,
  c_error,
  c_status,
  c_replayable,
  c_not_kept,
  c_now,
  c_alive,
  c_duplicates,
  c_last_duplicate
};

WallTime time(const pq::Row& row, int column) {
  return WallTime(milliseconds(row.number(column)));
}

bool live(const pq::Row& row) {
  return row.number(c_expires) > row.number(c_now);
}

RecordView view(const pq::Row& row) {
  RecordView out;
  row.into(c_fingerprint, out.fingerprint.bytes);
  const auto state = static_cast<Record::State>(row.number(c_state));
  const bool over = row.number(c_lease_ends) <= row.number(c_now);
  out.error = row.text(c_error);
  if (state == Record::State::completed) {
    out.state = RecordView::State::completed;
    if (row.number(c_status) != 0) out.status = static_cast<int>(row.number(c_status));
    if (!row.flag(c_replayable)) out.not_kept = static_cast<NotKept>(row.number(c_not_kept));
  } else if (state == Record::State::unknown || over) {
    out.state = RecordView::State::unknown;
    if (state == Record::State::reserved) out.error = "no request holds the reservation any more";
  } else {
    out.state = RecordView::State::reserved;
    out.held = row.flag(c_alive);
  }
  out.policy = row.text(c_policy);
  out.request_id = row.text(c_request_id);
  out.path = row.text(c_path);
  out.entity_type = row.text(c_entity_type);
  out.entity_id = row.text(c_entity_id);
  out.created = time(row, c_created);
  out.lease_ends = time(row, c_lease_ends);
  out.expires = time(row, c_expires);
  out.attempts = static_cast<std::uint32_t>(row.number(c_attempt));
  out.fence = static_cast<std::uint64_t>(row.number(c_fence));
  out.duplicates = static_cast<std::uint64_t>(row.number(c_duplicates));
  if (!row.null(c_last_duplicate)) out.last_duplicate = time(row, c_last_duplicate);
  return out;
}

bool admits(const RecordFilter& filter, const RecordView& item, const pq::Row& row) {
  if (filter.policy && item.policy != *filter.policy) return false;
  if (filter.state && item.state != *filter.state) return false;
  if (filter.older_than && time(row, c_now) - item.created < *filter.older_than) return false;
  return filter.subject.admits({item.path, item.entity_type, item.entity_id});
}

}  // namespace

std::variant<RecordPage, Unreadable> PostgresInspection::records(
    const RecordFilter& filter, const std::optional<Fingerprint>& after, std::size_t limit) {
  constexpr std::size_t at_once = 1'000;
  RecordPage page;
  // Begins after all zeros, which no known text has as its SHA-256 value.
  Fingerprint last = after.value_or(Fingerprint{});
  for (std::size_t seen = 0; seen < work_.tuning.scan_max;) {
    const Reply reply = ask(work_, house_, Statement::list_records, [last](pq::Params& params) {
      params.digest(last);
      params.number(at_once);
    });
    if (!reply.good()) return Unreadable{why_not(reply)};
    for (int i = 0; i < reply.rows(); ++i) {
      const pq::Row row(reply.result.get(), i);
      if (page.items.size() == limit) {
        page.next = last;
        return page;
      }
      row.into(c_fingerprint, last.bytes);
      if (!live(row)) continue;
      RecordView item = view(row);
      if (admits(filter, item, row)) page.items.push_back(std::move(item));
    }
    seen += static_cast<std::size_t>(reply.rows());
    if (reply.rows() < static_cast<int>(at_once)) return page;
  }
  page.next = last;
  return page;
}

std::variant<std::optional<RecordView>, Unreadable> PostgresInspection::record(
    const Fingerprint& fingerprint) {
  const Reply reply = ask(work_, house_, Statement::find_record,
                          [fingerprint](pq::Params& params) { params.digest(fingerprint); });
  if (!reply.good()) return Unreadable{why_not(reply)};
  if (reply.rows() == 0 || !live(reply.row())) return std::nullopt;
  return view(reply.row());
}

/// Notifies the calls that wait for the operation, and the instance that held it.
Changed PostgresInspection::change(Statement statement, OneQuery::Bind bind,
                                   const Fingerprint& fingerprint) {
  const std::optional<Nonce> held = work_.holdings.nonce(fingerprint);
  const auto sent = BootClock::now();
  const Reply reply = ask(work_, house_, statement, std::move(bind));
  if (!reply.good() || reply.rows() != 1) return Changed::failed;
  const pq::Row row = reply.row();
  switch (row.number(0)) {
    case code::absent:
      return Changed::absent;
    case code::conflict:
      return Changed::conflict;
    case code::done:
      break;
    default:
      return Changed::failed;
  }
  work_.recent.forget(fingerprint);
  if (statement != Statement::operator_resolve) work_.holdings.revoke(fingerprint, held);
  work_.outcomes.wake(fingerprint.bytes);
  std::optional<EntityKey> entity;
  if (row.flag(2)) {
    row.into(3, entity.emplace().bytes);
    work_.turns.wake(entity->bytes);
  }
  post(house_.loop(), [this, fingerprint, entity] {
    tell_others(house_, work_.options, telling::changed, fingerprint);
    if (entity) tell_others(house_, work_.options, telling::turn, *entity);
  });
  return counts(work_, house_, reply, sent) ? Changed::done : Changed::failed;
}

Changed PostgresInspection::release(const Fingerprint& fingerprint) {
  return change(
      Statement::operator_release,
      [fingerprint, quorum = work_.quorum()](pq::Params& params) {
        params.digest(fingerprint);
        params.flag(quorum);
      },
      fingerprint);
}

Changed PostgresInspection::resolve(const Fingerprint& fingerprint,
                                    const std::optional<StoredAnswer>& answer) {
  return change(
      Statement::operator_resolve,
      [fingerprint, quorum = work_.quorum(),
       given =
           answer.value_or(StoredAnswer{0, {}, {}, false, NotKept::resolved})](pq::Params& params) {
        params.digest(fingerprint);
        params.number(given.status);
        params.flag(given.replayable);
        params.number(static_cast<std::int64_t>(given.not_kept));
        params.bytes(given.head);
        params.bytes(given.body);
        params.flag(quorum);
      },
      fingerprint);
}

Changed PostgresInspection::forget(const Fingerprint& fingerprint) {
  return change(
      Statement::operator_forget,
      [fingerprint, quorum = work_.quorum()](pq::Params& params) {
        params.digest(fingerprint);
        params.flag(quorum);
      },
      fingerprint);
}

std::variant<std::optional<EntityView>, Unreadable> PostgresInspection::entity(
    const EntityKey& key) {
  const Reply reply =
      ask(work_, house_, Statement::find_entity, [key](pq::Params& params) { params.digest(key); });
  if (!reply.good()) return Unreadable{why_not(reply)};
  if (reply.rows() == 0) return std::nullopt;
  const pq::Row row = reply.row();
  const std::int64_t now = row.number(10);
  if (row.number(2) <= now) return std::nullopt;
  EntityView out;
  out.type = row.text(0);
  out.id = row.text(1);
  out.expires = time(row, 2);
  if (row.number(4) > now) out.closed_until = time(row, 4);
  if (row.number(3) > now && !row.null(5)) {
    out.sequence = Sequence(static_cast<Sequence::Kind>(row.number(5)), row.number(6),
                            static_cast<std::uint64_t>(row.number(7)) ^ Sequence::sign_bit);
  }
  if (!row.null(8)) row.into(8, out.holder.emplace().bytes);
  out.waiting = static_cast<std::size_t>(row.number(9));
  return out;
}

Changed PostgresInspection::open(const EntityKey& key) {
  const auto sent = BootClock::now();
  const Reply reply = ask(work_, house_, Statement::operator_open,
                          [key, quorum = work_.quorum()](pq::Params& params) {
                            params.digest(key);
                            params.flag(quorum);
                          });
  if (!reply.good() || reply.rows() != 1) return Changed::failed;
  switch (reply.row().number(0)) {
    case code::done:
      return counts(work_, house_, reply, sent) ? Changed::done : Changed::failed;
    case code::absent:
      return Changed::absent;
    case code::conflict:
      return Changed::conflict;
    default:
      return Changed::failed;
  }
}

}  // namespace onceproxy::store
