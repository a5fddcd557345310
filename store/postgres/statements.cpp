#include "store/postgres/statements.hpp"

#include <string_view>

namespace onceproxy::store {
namespace {

struct Described {
  const char* name;
  /// The call, with @ in the place of its parameters.
  const char* text;
  /// b bytea, l bigint, i integer, s smallint, o boolean, t text, B bytea[], L bigint[]
  const char* types;
};

/// The columns of a record for operators, without the answer.
#define ONCEPROXY_RECORD_COLUMNS                                                               \
  "o.fingerprint, o.state, o.nonce, o.fence, o.attempt, o.created, o.settled, o.lease_ends, "  \
  "o.expires, o.policy, o.request_id, o.path, o.entity_type, o.entity_id, o.error, o.status, " \
  "o.replayable, o.not_kept, now_ms(), EXISTS (SELECT FROM instances i WHERE i.id = o.holder " \
  "AND i.seen > now_ms() - 10000), d.number, d.last FROM operations o LEFT JOIN duplicates d " \
  "USING (fingerprint) "

constexpr std::array<Described, statements> all{{
    {"reserve", "SELECT * FROM reserve(@)", "bbbblllobbbbbbblllslloloblloblo"},
    {"leave_queue", "SELECT leave_queue(@)", "bb"},
    {"complete", "SELECT * FROM complete(@)", "bbliosbbBolo"},
    {"release", "SELECT * FROM release(@)", "bbolo"},
    {"mark_unknown", "SELECT * FROM mark_unknown(@)", "bbllblo"},
    {"renew", "SELECT * FROM renew(@)", "BBLLlo"},
    {"confirmed", "SELECT confirmed_lsn(), pg_current_wal_flush_lsn()", ""},
    {"notify", "SELECT pg_notify(@)", "tt"},
    {"barrier", "SELECT pg_logical_emit_message(true, 'onceproxy', '')", ""},
    {"beat", "SELECT beat(@)", "b"},
    {"leave", "SELECT leave(@)", "b"},
    {"look",
     "SELECT now_ms(), current_setting('fsync') = 'on', waits_for_standby(), "
     "current_setting('synchronous_commit') <> 'off', confirmed_lsn(), "
     "pg_current_wal_flush_lsn()",
     ""},
    {"sweep", "SELECT sweep_some(@)", "il"},
    {"counted",
     "SELECT counted IS NOT NULL, coalesce((counted->>'reserved')::bigint, 0), "
     "coalesce((counted->>'completed')::bigint, 0), coalesce((counted->>'unknown')::bigint, 0), "
     "pg_total_relation_size('operations'), "
     "(SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'operations'::regclass) "
     "FROM sweep",
     ""},
    {"counted_unknown",
     "SELECT split_part(key, ':', 2) = 't', decode(split_part(key, ':', 3), 'hex'), "
     "value::bigint, now_ms() - (counted->>('o' || substr(key, 2)))::bigint "
     "FROM sweep, jsonb_each_text(counted) WHERE key LIKE 'u:%' LIMIT 1000",
     ""},
    {"count_duplicates", "SELECT count_duplicates(@)", "BLLL"},
    {"keep_note",
     "INSERT INTO notes (name, value) VALUES (@) ON CONFLICT (name) DO UPDATE SET value = "
     "excluded.value",
     "tb"},
    {"list_records",
     "SELECT " ONCEPROXY_RECORD_COLUMNS
     "WHERE o.fingerprint > $1::bytea ORDER BY o.fingerprint LIMIT $2::bigint",
     "bl"},
    {"find_record", "SELECT " ONCEPROXY_RECORD_COLUMNS "WHERE o.fingerprint = $1::bytea", "b"},
    {"find_entity",
     "SELECT e.type, e.id, e.expires, e.sequence_until, e.closed_until, e.sequence_kind, "
     "e.sequence_high, e.sequence_low, o.fingerprint, cardinality(e.queue), now_ms() "
     "FROM entities e LEFT JOIN operations o ON o.fingerprint = e.holder AND o.nonce = "
     "e.holder_nonce AND o.state = 1 AND o.lease_ends > now_ms() WHERE e.key = $1::bytea",
     "b"},
    {"operator_release", "SELECT * FROM operator_release(@)", "bo"},
    {"operator_resolve", "SELECT * FROM operator_resolve(@)", "biosbbo"},
    {"operator_forget", "SELECT * FROM operator_forget(@)", "bo"},
    {"operator_open", "SELECT * FROM operator_open(@)", "bo"},
    {"accept", "SELECT * FROM accept(@)",
     "bbbblllobbbbbbblllslloloblloblo"
     "iosbbBbbbbBol"},
    {"acknowledge", "SELECT * FROM acknowledge(@)", "liosbblo"},
    {"begin_delivery", "SELECT * FROM begin_delivery(@)", "lbbbBoollo"},
    {"end_delivery", "SELECT * FROM end_delivery(@)", "lbbsloibolo"},
    {"leave_delivery", "SELECT * FROM leave_delivery(@)", "lbbo"},
    {"redrive_delivery", "SELECT * FROM redrive_delivery(@)", "lbbolo"},
    {"drop_delivery", "SELECT * FROM drop_delivery(@)", "lbboblo"},
    {"pending_deliveries", "SELECT * FROM pending_deliveries(@)", "bllbBloll"},
    {"left_over", "SELECT * FROM left_over(@)", "BBblol"},
    {"find_event",
     "SELECT e.fingerprint, e.created, e.policy, e.request_id, e.trace, e.entity, e.entity_type, "
     "e.entity_id, e.method, e.target, p.head, p.body FROM events e JOIN payloads p ON p.event = "
     "e.number WHERE e.number = $1::bigint",
     "l"},
    {"events_of",
     "SELECT e.number, e.created, e.ended, e.policy, e.request_id, e.trace, e.entity_type, "
     "e.entity_id, e.method, e.target, e.payload_bytes, e.payload_kept, d.listener, d.state, "
     "d.attempts, d.last_attempt, d.due, d.held, d.ended, d.status, d.error "
     "FROM (SELECT * FROM events WHERE fingerprint = $1::bytea ORDER BY number DESC LIMIT "
     "$2::bigint) e JOIN deliveries d ON d.event = e.number ORDER BY e.number DESC, d.listener",
     "bl"},
    {"list_deliveries", "SELECT * FROM list_deliveries(@)", "lbll"},
    {"list_deliveries_of", "SELECT * FROM list_deliveries_of(@)", "lblb"},
    {"list_undelivered", "SELECT * FROM list_undelivered(@)", "lbllbooo"},
    {"listener_ages", "SELECT * FROM listener_ages()", ""},
    {"listener_counts", "SELECT * FROM listener_counts()", ""},
    {"ledger_totals",
     "SELECT (SELECT count(*) FROM events WHERE ended IS NULL), "
     "(SELECT sum(bytes)::bigint FROM payload_bytes)",
     ""},
    {"follow_routes", "SELECT follow_routes(@)", "bBB"},
    {"tend_events", "SELECT tend_events(@)", "llll"},
    {"reserve_many", "", ""},
    {"complete_many", "", ""},
}};

/// Those of an operation without an entity, a rate limit or ended operations, which does not wait
/// yet.
constexpr std::string_view reserve_from = "aasaaaaaaaaa0000ss000s0s000s0as";
constexpr std::string_view complete_from = "aaaaaaaa0aas";

const Described& described(Statement statement) {
  return all[static_cast<std::size_t>(statement)];
}

/// Numbers are sent in 8 bytes, whatever type the function takes.
std::string_view type(char letter) {
  switch (letter) {
    case 'b':
      return "::bytea";
    case 'l':
      return "::bigint";
    case 'i':
      return "::bigint::integer";
    case 's':
      return "::bigint::smallint";
    case 'o':
      return "::boolean";
    case 'B':
      return "::bytea[]";
    case 'L':
      return "::bigint[]";
    default:
      return "::text";
  }
}

std::string_view array_type(char letter) {
  return letter == 'b' ? "::bytea[]" : letter == 'o' ? "::boolean[]" : "::bigint[]";
}

/// The columns of each answer, and whether the stored answer was left out. Otherwise many large
/// ones would be held in memory at once, and be sent while records are locked.
std::string answers_of(Statement one) {
  if (one != Statement::reserve) return "r.*, false";
  const std::string large = "coalesce(octet_length(r.o_head) + octet_length(r.o_body), 0) > " +
                            std::to_string(shared_answer_bytes_max);
  const auto unless_large = [&](const std::string& column) {
    return "CASE WHEN " + large + " THEN NULL ELSE " + column + " END";
  };
  return "r.o_code, r.o_now, r.o_number, r.o_attempt, r.o_nonce, r.o_flag, r.o_status, "
         "r.o_replayable, r.o_not_kept, r.o_settled, r.o_expires, r.o_trace, " +
         unless_large("r.o_head") + ", " + unless_large("r.o_body") +
         ", r.o_lsn, r.o_confirmed, r.o_payload, " + large;
}

/// The functions are called one after the other, in the order of the arrays, because each call
/// depends on its row of the arrays. The arrays are read first, so the limit on waits for locks is
/// set before the first call; it ends with the transaction.
std::string text_of_many(Statement one) {
  const ManyCalls calls = many(one);
  int number = 0;
  std::string arrays;
  std::string columns;
  for (std::size_t i = 0; i < calls.types.size(); ++i) {
    if (calls.from[i] != 'a') continue;
    const std::string array =
        '$' + std::to_string(number + 1) + std::string(array_type(calls.types[i]));
    arrays += number > 0 ? ", " + array
                         : "CASE WHEN set_config('lock_timeout', current_setting('" +
                               std::string(shared_lock_timeout) + "'), true) IS NOT NULL THEN " +
                               array + " END";
    columns += 'c' + std::to_string(++number) + ", ";
  }
  std::string arguments;
  for (std::size_t i = 0, column = 0; i < calls.types.size(); ++i) {
    if (i > 0) arguments += ", ";
    if (calls.from[i] == '0') {
      arguments += "NULL";
      continue;
    }
    arguments +=
        calls.from[i] == 'a' ? "u.c" + std::to_string(++column) : '$' + std::to_string(++number);
    arguments += type(calls.types[i]);
  }
  return "SELECT " + answers_of(one) + ", u.number FROM unnest(" + arrays +
         ") WITH ORDINALITY AS u(" + columns + "number), LATERAL " + name(one) + "(" + arguments +
         ") AS r";
}

}  // namespace

ManyCalls many(Statement one) {
  const bool reserves = one == Statement::reserve;
  return {reserves ? Statement::reserve_many : Statement::complete_many, described(one).types,
          reserves ? reserve_from : complete_from};
}

bool says_time(Statement statement) {
  switch (statement) {
    case Statement::reserve:
    case Statement::complete:
    case Statement::release:
    case Statement::mark_unknown:
    case Statement::accept:
    case Statement::acknowledge:
    case Statement::begin_delivery:
    case Statement::end_delivery:
    case Statement::redrive_delivery:
    case Statement::drop_delivery:
    case Statement::reserve_many:
    case Statement::complete_many:
      return true;
    default:
      return false;
  }
}

const char* name(Statement statement) {
  return described(statement).name;
}

std::string text(Statement statement) {
  if (statement == Statement::reserve_many) return text_of_many(Statement::reserve);
  if (statement == Statement::complete_many) return text_of_many(Statement::complete);
  const Described& described = store::described(statement);
  std::string out = described.text;
  const auto at = out.find('@');
  if (at == std::string::npos) return out;
  std::string parameters;
  int number = 0;
  for (const char letter : std::string_view(described.types)) {
    if (number > 0) parameters += ", ";
    parameters += '$' + std::to_string(++number);
    parameters += type(letter);
  }
  return out.replace(at, 1, parameters);
}

}  // namespace onceproxy::store
