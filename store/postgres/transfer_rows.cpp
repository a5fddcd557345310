#include "store/postgres/transfer_rows.hpp"

#include <algorithm>
#include <chrono>

namespace onceproxy::store::transfer {
namespace {

using std::chrono::milliseconds;

std::int64_t milliseconds_of(WallTime time) {
  return time.time_since_epoch().count();
}

WallTime wall_time(std::int64_t value) {
  return WallTime(milliseconds(value));
}

}  // namespace

const char* const select_records =
    "SELECT fingerprint, state, nonce, fence, attempt, payload, created, settled, lease_ends, "
    "expires, hold, policy, request_id, trace, path, entity_type, entity_id, error, status, "
    "replayable, not_kept, head, body FROM operations "
    "WHERE fingerprint > $1::bytea AND expires > now_ms() AND NOT (ended AND state = 2) "
    "ORDER BY fingerprint LIMIT 100";
const char* const select_entities =
    "SELECT key, type, id, expires, sequence_until, closed_until, sequence_kind, sequence_high, "
    "sequence_low, holder, holder_nonce FROM entities "
    "WHERE key > $1::bytea AND expires > now_ms() ORDER BY key LIMIT 100";
const char* const select_rates =
    "SELECT key, arrival FROM rates WHERE key > $1::bytea AND arrival > now_ns() "
    "ORDER BY key LIMIT 100";

const char* const insert_record =
    "INSERT INTO operations AS o (fingerprint, state, nonce, holder, fence, attempt, payload, "
    "created, settled, lease_ends, expires, keep, hold, policy, request_id, trace, path, "
    "entity_type, entity_id, error, status, replayable, not_kept, head, body) "
    "VALUES ($1::bytea, $2::bigint, $3::bytea, '', $4::bigint, $5::bigint, $6::bytea, $7::bigint, "
    "$8::bigint, $9::bigint, $10::bigint, $11::bigint, $12::boolean, $13::bytea, $14::bytea, "
    "$15::bytea, $16::bytea, $17::bytea, $18::bytea, $19::bytea, $20::bigint, $21::boolean, "
    "$22::bigint, $23::bytea, $24::bytea) "
    "ON CONFLICT (fingerprint) DO UPDATE SET (state, nonce, holder, fence, attempt, payload, "
    "created, settled, lease_ends, expires, keep, hold, policy, request_id, trace, path, "
    "entity_type, entity_id, error, status, replayable, not_kept, head, body, ended, awaited, "
    "entity, turn, closes, rate) = (excluded.state, excluded.nonce, '', excluded.fence, "
    "excluded.attempt, excluded.payload, excluded.created, excluded.settled, excluded.lease_ends, "
    "excluded.expires, excluded.keep, excluded.hold, excluded.policy, excluded.request_id, "
    "excluded.trace, excluded.path, excluded.entity_type, excluded.entity_id, excluded.error, "
    "excluded.status, excluded.replayable, excluded.not_kept, excluded.head, excluded.body, false, "
    "false, NULL, false, NULL, NULL) WHERE o.expires <= now_ms() OR (o.ended AND o.state = 2)";
const char* const insert_entity =
    "INSERT INTO entities AS e (key, type, id, expires, sequence_until, closed_until, "
    "sequence_kind, sequence_high, sequence_low, holder, holder_nonce) "
    "VALUES ($1::bytea, $2::bytea, $3::bytea, $4::bigint, $5::bigint, $6::bigint, $7::bigint, "
    "$8::bigint, $9::bigint, $10::bytea, $11::bytea) "
    "ON CONFLICT (key) DO UPDATE SET (type, id, expires, sequence_until, closed_until, "
    "sequence_kind, sequence_high, sequence_low, holder, holder_nonce) = (excluded.type, "
    "excluded.id, excluded.expires, excluded.sequence_until, excluded.closed_until, "
    "excluded.sequence_kind, excluded.sequence_high, excluded.sequence_low, excluded.holder, "
    "excluded.holder_nonce) WHERE e.expires <= now_ms()";
const char* const insert_rate =
    "INSERT INTO rates AS r (key, arrival, last) VALUES ($1::bytea, $2::bigint, 0) "
    "ON CONFLICT (key) DO UPDATE SET arrival = excluded.arrival, last = 0 "
    "WHERE r.arrival <= now_ns()";

Record record_of(const pq::Row& row) {
  Record out;
  out.state = static_cast<Record::State>(row.number(1));
  row.into(2, out.nonce);
  out.fence = static_cast<std::uint64_t>(row.number(3));
  out.attempt = static_cast<std::uint32_t>(row.number(4));
  if (!row.null(5)) row.into(5, out.payload.emplace().bytes);
  out.created = wall_time(row.number(6));
  out.settled = wall_time(row.number(7));
  out.lease_ends = wall_time(row.number(8));
  out.expires = wall_time(row.number(9));
  out.hold = row.flag(10);
  out.policy = row.text(11);
  out.request_id = row.text(12);
  out.trace = row.text(13);
  out.path = row.text(14);
  out.entity_type = row.text(15);
  out.entity_id = row.text(16);
  out.error = row.text(17);
  out.answer.status = static_cast<int>(row.number(18));
  out.answer.replayable = row.flag(19);
  out.answer.not_kept = static_cast<NotKept>(row.number(20));
  out.answer.head = row.text(21);
  out.answer.body = row.text(22);
  return out;
}

void add(pq::Params& params, const CarriedRecord& one) {
  const Record& record = one.second;
  const bool reserved = record.state == Record::State::reserved;
  const WallTime window_begins = reserved ? record.lease_ends : record.settled;
  params.digest(one.first);
  params.number(static_cast<std::int64_t>(record.state));
  params.nonce(record.nonce);
  params.number(static_cast<std::int64_t>(record.fence));
  params.number(record.attempt);
  params.digest(record.payload);
  for (const WallTime time : {record.created, record.settled, record.lease_ends, record.expires}) {
    params.number(milliseconds_of(time));
  }
  params.number(std::max(record.expires - window_begins, milliseconds(0)).count());
  params.flag(record.hold);
  for (const std::string* text : {&record.policy, &record.request_id, &record.trace, &record.path,
                                  &record.entity_type, &record.entity_id, &record.error}) {
    params.bytes(*text);
  }
  const StoredAnswer& answer = record.answer;
  const bool completed = record.state == Record::State::completed;
  params.number(answer.status);
  params.flag(completed && answer.replayable);
  params.number(static_cast<std::int64_t>(answer.not_kept));
  params.bytes(answer.head);
  params.bytes(answer.body);
}

Entity entity_of(const pq::Row& row) {
  Entity out;
  out.type = row.text(1);
  out.id = row.text(2);
  out.expires = wall_time(row.number(3));
  out.sequence_until = wall_time(row.number(4));
  out.closed_until = wall_time(row.number(5));
  if (const auto kind = row.maybe(6)) {
    const auto low = static_cast<std::uint64_t>(row.number(8)) ^ Sequence::sign_bit;
    out.highest = Sequence(static_cast<Sequence::Kind>(*kind), row.number(7), low);
  }
  if (!row.null(9) && !row.null(10)) {
    // Clang 14 takes Holder for not default-constructible within emplace().
    Entity::Holder holder;
    row.into(9, holder.fingerprint.bytes);
    row.into(10, holder.nonce);
    out.holder = holder;
  }
  return out;
}

void add(pq::Params& params, const CarriedEntity& one) {
  const Entity& entity = one.second;
  params.digest(one.first);
  params.bytes(entity.type);
  params.bytes(entity.id);
  for (const WallTime time : {entity.expires, entity.sequence_until, entity.closed_until}) {
    params.number(milliseconds_of(time));
  }
  if (entity.highest) {
    params.number(static_cast<std::int64_t>(entity.highest->kind));
    params.number(entity.highest->high);
    params.number(static_cast<std::int64_t>(entity.highest->low ^ Sequence::sign_bit));
  } else {
    for (int i = 0; i < 3; ++i) params.null();
  }
  if (entity.holder) {
    params.digest(entity.holder->fingerprint);
    params.nonce(entity.holder->nonce);
  } else {
    params.null();
    params.null();
  }
}

void add(pq::Params& params, const CarriedRate& one) {
  params.digest(one.first);
  params.number(one.second.time_since_epoch().count());
}

}  // namespace onceproxy::store::transfer
