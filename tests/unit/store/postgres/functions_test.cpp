// The functions of the schema, called side by side by sessions of the test's own. A transaction
// that is not committed yet stands for a commit that waits for its standby: others see as little of
// it.
#include <catch2/catch.hpp>

#include "sessions.hpp"
#include "store_run.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

TEST_CASE("functions: the entity of a turn stays as long as its lease is renewed") {
  ONCEPROXY_NEEDS_POSTGRES();
  Schema schema;
  CHECK(schema.one.sql(Asked{"first", "'entity'", "0"}.text()) == "1");
  // The first lease is over, and was renewed.
  schema.one.sql("UPDATE entities SET expires = 0");
  CHECK(schema.one.sql("SELECT sweep_some(1000)") == "t");
  CHECK(schema.count("entities") == "1");
  CHECK(schema.other.sql(Asked{"second", "'entity'", "0"}.text()) == "10");
  schema.one.sql("UPDATE operations SET lease_ends = 0");
  schema.one.sql("SELECT sweep_some(1000)");
  CHECK(schema.count("entities") == "0");
}

TEST_CASE("functions: a reservation has a later fence than one that came and went meanwhile") {
  ONCEPROXY_NEEDS_POSTGRES();
  Schema schema;
  // The other reserves and releases, which is not committed before the first waits for its row.
  schema.other.sql("BEGIN");
  CHECK(schema.other.sql(Asked{"key"}.text()) == "1");
  schema.one.send(Asked{"key"}.text());
  schema.await_blocked(schema.one);
  const std::string before = schema.other.sql(
      "UPDATE operations SET fence = nextval('fences') WHERE fingerprint = 'key' RETURNING fence");
  CHECK(schema.other.sql(release("key")) == "1");
  schema.other.sql("COMMIT");
  CHECK(schema.one.take() == "1");
  const std::string fence =
      schema.watching.sql("SELECT fence FROM operations WHERE fingerprint = 'key'");
  CHECK(std::stoll(fence) > std::stoll(before));
}

TEST_CASE("functions: small tables are tidied while a large one is walked over") {
  ONCEPROXY_NEEDS_POSTGRES();
  Schema schema;
  const std::string bytes = "decode(md5(i::text), 'hex') FROM generate_series(1, 1000) AS i";
  schema.one.sql(
      "INSERT INTO operations (fingerprint, state, nonce, holder, fence, attempt, created, "
      "settled, "
      "lease_ends, expires, keep, hold) SELECT convert_to(i::text, 'UTF8'), 2, '', '', 1, 1, 0, 0, "
      "0, now_ms() + 600000, 0, false FROM generate_series(1, 5000) AS i");
  schema.one.sql("INSERT INTO entities (expires, type, id, key) SELECT 0, '', '', " + bytes);
  schema.one.sql("INSERT INTO rates (arrival, last, key) SELECT 0, 0, " + bytes);
  schema.one.sql("INSERT INTO duplicates (number, last, expires, fingerprint) SELECT 1, 0, 0, " +
                 bytes);
  schema.one.sql(Asked{"live", "'live'", "0"}.text());
  for (int beat = 0; beat < 30; ++beat) CHECK(schema.one.sql("SELECT sweep_some(1)") == "t");
  CHECK(schema.watching.sql("SELECT next_operations FROM sweep") == "30");
  CHECK(schema.watching.sql("SELECT counted IS NULL FROM sweep") == "t");
  CHECK(schema.count("entities") == "1");
  CHECK(schema.count("rates") == "0");
  CHECK(schema.count("duplicates") == "0");
  // The pass goes on where it was, and counts each operation once.
  schema.one.sql("SELECT sweep_some(1000)");
  CHECK(schema.watching.sql("SELECT counted->>'completed' FROM sweep") == "5000");
  CHECK(schema.watching.sql("SELECT counted->>'reserved' FROM sweep") == "1");
  CHECK(schema.watching.sql("SELECT next_operations FROM sweep") == "0");
}

TEST_CASE("functions: an undo waits for a reservation whose commit is not over") {
  ONCEPROXY_NEEDS_POSTGRES();
  Schema schema;
  for (const std::string end : {"COMMIT", "ROLLBACK"}) {
    schema.one.sql("BEGIN");
    CHECK(schema.one.sql(Asked{"lost"}.text()) == "1");
    schema.other.send(release("lost"));
    schema.await_blocked(schema.other);
    schema.one.sql(end);
    CHECK(schema.other.take() == "1");
    CHECK(schema.count("operations") == "0");
  }
  // What another holds meanwhile stays.
  schema.one.sql("BEGIN");
  CHECK(schema.one.sql(Asked{"lost"}.text()) == "1");
  schema.one.sql("UPDATE operations SET nonce = 'another'");
  schema.other.send(release("lost"));
  schema.await_blocked(schema.other);
  schema.one.sql("COMMIT");
  CHECK(schema.other.take() == "1");
  CHECK(schema.count("operations") == "1");
}

TEST_CASE("functions: who waits for a lock beyond its time reserves nothing") {
  ONCEPROXY_NEEDS_POSTGRES();
  Schema schema;
  schema.one.sql("INSERT INTO entities (key, type, id, expires) VALUES ('entity', '', '', 0)");
  schema.one.sql("BEGIN");
  schema.one.sql("SELECT 1 FROM entities FOR UPDATE");
  const std::string end = schema.watching.sql("SELECT now_ms() + 1000");
  Asked asked{"late", "'entity'", "0"};
  asked.not_after = end;
  schema.other.send(asked.text());
  schema.await_blocked(schema.other);
  Schema::await([&] { return schema.watching.sql("SELECT now_ms() > " + end) == "t"; });
  schema.one.sql("COMMIT");
  CHECK(schema.other.take() == "57014");
  CHECK(schema.count("operations") == "0");
  CHECK(schema.watching.sql("SELECT holder IS NULL FROM entities") == "t");
}

TEST_CASE("functions: a completion that closes an entity ends what was reserved before it") {
  ONCEPROXY_NEEDS_POSTGRES();
  Schema schema;
  Session third(schema.options);
  Asked decline{"decline", "'entity'"};
  decline.closes = "60000";
  Asked dispatch{"dispatch", "'entity'"};
  dispatch.unless_closed = "true";
  CHECK(schema.one.sql(decline.text()) == "1");
  schema.one.sql("INSERT INTO entities (key, type, id, expires) VALUES ('entity', '', '', 0)");
  schema.other.sql("BEGIN");
  CHECK(schema.other.sql(dispatch.text()) == "1");
  // Those that only look at the entity do not wait for each other.
  Asked beside = dispatch;
  beside.name = "beside";
  CHECK(third.sql(beside.text()) == "1");
  const std::string completes = complete("decline", "ARRAY['dispatch'::bytea]");
  schema.one.send(completes);
  schema.await_blocked(schema.one);
  schema.other.sql("COMMIT");
  CHECK(schema.one.take() == "40001");
  CHECK(schema.one.sql(completes) == "1");
  CHECK(schema.watching.sql("SELECT ended FROM operations WHERE fingerprint = 'dispatch'") == "t");

  // Later calls are refused without a lock, because the commit of a lock would wait for a standby.
  Asked later = dispatch;
  later.name = "later";
  schema.other.sql("BEGIN");
  CHECK(schema.other.sql(later.text()) == "7");
  CHECK(schema.other.sql("SELECT pg_current_xact_id_if_assigned() IS NULL") == "t");
  schema.other.sql("COMMIT");
}

TEST_CASE("functions: who waits for a completion that closes its entity is refused") {
  ONCEPROXY_NEEDS_POSTGRES();
  Schema schema;
  Asked decline{"decline", "'entity'"};
  decline.closes = "60000";
  Asked dispatch{"dispatch", "'entity'"};
  dispatch.unless_closed = "true";
  CHECK(schema.one.sql(decline.text()) == "1");
  schema.one.sql("BEGIN");
  CHECK(schema.one.sql(complete("decline", "NULL")) == "1");
  schema.other.send(dispatch.text());
  schema.await_blocked(schema.other);
  schema.one.sql("COMMIT");
  CHECK(schema.other.take() == "7");
}

TEST_CASE("functions: a reservation is found again only while its lease lasts") {
  ONCEPROXY_NEEDS_POSTGRES();
  Schema schema;
  Asked asked{"mine"};
  asked.hold = "true";
  CHECK(schema.one.sql(asked.text()) == "1");
  CHECK(schema.one.sql(asked.text()) == "1");
  CHECK(schema.watching.sql("SELECT attempt FROM operations") == "1");
  schema.one.sql("UPDATE operations SET lease_ends = now_ms()");
  CHECK(schema.one.sql(asked.text()) == "5");
  schema.one.sql("UPDATE operations SET state = 3, lease_ends = now_ms() + 60000");
  CHECK(schema.one.sql(asked.text()) == "5");
}

namespace {

/// One request an hour.
constexpr const char* hourly = "'limit', 3600000000000, 3600000000000";

/// Calls in a transaction of the session's own, and says whether its commit would wait for a
/// standby.
bool would_wait(Session& session, const std::string& call, const std::string& code) {
  session.sql("BEGIN");
  CHECK(session.sql(call) == code);
  const bool writes = session.sql("SELECT pg_current_xact_id_if_assigned() IS NULL") == "f";
  const bool waits = session.sql("SHOW synchronous_commit") == "on";
  session.sql("COMMIT");
  return writes && waits;
}

}  // namespace

TEST_CASE("functions: who exceeds a rate limit takes no lock") {
  ONCEPROXY_NEEDS_POSTGRES();
  Schema schema;
  Asked asked{"first"};
  asked.rate = hourly;
  CHECK(schema.one.sql(asked.text()) == "1");
  // Somebody else has the row, and its commit takes long.
  schema.one.sql("BEGIN");
  schema.one.sql("SELECT 1 FROM rates FOR UPDATE");
  asked.name = "second";
  schema.other.sql("BEGIN");
  CHECK(schema.other.sql(asked.text()) == "8");
  CHECK(schema.other.sql("SELECT pg_current_xact_id_if_assigned() IS NULL") == "t");
  schema.other.sql("COMMIT");
  schema.one.sql("COMMIT");
}

TEST_CASE("functions: a refusal that had to lock a row waits for no standby") {
  ONCEPROXY_NEEDS_POSTGRES();
  Schema schema;
  // The last token is taken while the call waits for the row.
  Asked first{"first"};
  first.rate = hourly;
  schema.one.sql("INSERT INTO rates (key, arrival, last) VALUES ('limit', 0, 0)");
  schema.one.sql("BEGIN");
  CHECK(schema.one.sql(first.text()) == "1");
  Asked second = first;
  second.name = "second";
  schema.other.sql("BEGIN");
  schema.other.send(second.text());
  schema.await_blocked(schema.other);
  schema.one.sql("COMMIT");
  CHECK(schema.other.take() == "8");
  CHECK(schema.other.sql("SHOW synchronous_commit") == "local");
  schema.other.sql("COMMIT");
  // The turn was taken before the limit was looked at; it is free again.
  Asked third = first;
  third.name = "third";
  third.entity = "'entity'";
  third.turn = "0";
  CHECK_FALSE(would_wait(schema.other, third.text(), "8"));
  // There is no turn.
  third.rate = "NULL, NULL, NULL";
  CHECK(would_wait(schema.one, third.text(), "1"));
  Asked fourth = third;
  fourth.name = "fourth";
  CHECK_FALSE(would_wait(schema.other, fourth.text(), "10"));
}

TEST_CASE("functions: a lease whose row is locked is neither renewed nor lost, nor delays others") {
  ONCEPROXY_NEEDS_POSTGRES();
  Schema schema;
  for (const std::string name : {"a", "b", "c", "d"}) {
    CHECK(schema.one.sql(Asked{name}.text()) == "1");
  }
  schema.one.sql("UPDATE operations SET nonce = 'another' WHERE fingerprint = 'c'");
  schema.one.sql("BEGIN");
  schema.one.sql("SELECT 1 FROM operations WHERE fingerprint IN ('b', 'c') FOR UPDATE");
  const std::string told =
      "SELECT string_agg(convert_from(o_fingerprint, 'UTF8') || o_renewed, ' ' ORDER BY "
      "o_fingerprint) FROM renew('{a,b,c,d,e}', '{a,b,c,d,e}', '{9,9,9,9,9}', '{9,9,9,9,9}', "
      "now_ms() + 60000, false)";
  CHECK(schema.other.sql(told) == "atrue cfalse dtrue efalse");
  schema.one.sql("COMMIT");
}

TEST_CASE("functions: what an operator has resolved is not taken for one's own completion") {
  ONCEPROXY_NEEDS_POSTGRES();
  Schema schema;
  CHECK(schema.one.sql(Asked{"key"}.text()) == "1");
  schema.one.sql("UPDATE operations SET lease_ends = now_ms() - 1");
  CHECK(schema.one.sql("SELECT o_code FROM operator_resolve('key', 201, true, 0::smallint, '', "
                       "'of the operator', false)") == "1");
  CHECK(schema.one.sql(complete("key", "NULL")) == "2");
  CHECK(schema.one.sql("SELECT octet_length(nonce) FROM operations") == "16");
}
