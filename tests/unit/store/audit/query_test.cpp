// What a query of the audit log finds, and in which order.
#include "store/audit/query.hpp"

#include <catch2/catch.hpp>
#include <random>

#include "query_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

TEST_CASE("a forward is shown with what became of it, newest first") {
  Logs logs;
  for (std::uint64_t fence = 1; fence <= 5; ++fence) logs.sent(fence);
  logs.ended(2, How::released, 503);
  logs.ended(1);
  logs.ended(3, How::released, 0, "connection refused");
  logs.ended(4, How::unknown, 0, "timeout");
  CHECK(logs.all({}) == Texts{"f5 pending", "f4 unknown timeout", "f3 failed connection refused",
                              "f2 released 503", "f1 completed 200", "started"});
}

TEST_CASE("an ending is found in a later file, and a page later") {
  Logs logs;
  logs.sent(1);
  logs.sent(2);
  logs.next_file();
  logs.sent(3);
  logs.next_file();
  logs.ended(1);
  logs.sent(4);
  REQUIRE(logs.log->forwards().files().size() >= 3);
  for (const std::size_t size : {1, 2, 3, 100}) {
    AuditQuery query;
    query.items_max = size;
    CHECK(logs.forwards(query) ==
          Texts{"f4 pending", "f3 pending", "f2 pending", "f1 completed 200"});
    query.outcomes = {AuditOutcome::completed};
    CHECK(logs.forwards(query) == Texts{"f1 completed 200"});
    query.outcomes = {AuditOutcome::pending};
    CHECK(logs.forwards(query) == Texts{"f4 pending", "f3 pending", "f2 pending"});
  }
}

TEST_CASE("entries that a process left open are unknown once another process has started") {
  Logs logs;
  logs.sent(1);
  logs.sent(2);
  logs.ended(2);
  logs.next_file();
  logs.sent(3);
  logs.reopen();
  logs.sent(4);
  logs.next_file();
  logs.sent(5);
  const std::string lost = " unknown the process ended before the outcome was known";
  for (const std::size_t size : {1, 100}) {
    AuditQuery query;
    query.items_max = size;
    CHECK(logs.forwards(query) ==
          Texts{"f5 pending", "f4 pending", "f3" + lost, "f2 completed 200", "f1" + lost});
  }
}

TEST_CASE("filters choose by time, policy, decision and fingerprint") {
  Logs logs;
  logs.sent(1);
  const WallTime middle = logs.now();
  AuditForward other = forward(2, logs.now());
  other.policy = "orders";
  logs.log->write(bytes_of(other), 1);
  const AuditRefusal replayed = refusal(1, logs.now());
  const AuditRefusal mismatch = refusal(2, logs.now(), "mismatch");
  logs.log->hand_over(bytes_of(replayed, mismatch), 2);
  logs.now();
  logs.log->act({.action = "reload"});
  logs.log->close();
  CHECK(logs.all({}) == Texts{"operator reload", "r mismatch", "r replayed", "f2 pending",
                              "f1 pending", "started"});
  AuditQuery query;
  query.since = middle;
  CHECK(logs.all(query) == Texts{"operator reload", "r mismatch", "r replayed", "f2 pending"});
  query = {};
  query.until = middle;
  CHECK(logs.all(query) == Texts{"f1 pending", "started"});
  query = {};
  query.policy = "orders";
  CHECK(logs.all(query) == Texts{"f2 pending"});
  query.policy = "dispatch";
  CHECK(logs.all(query) == Texts{"r mismatch", "r replayed", "f1 pending"});
  query = {};
  query.fingerprint = fingerprint(1);
  CHECK(logs.all(query) == Texts{"r replayed", "f1 pending"});
  query = {};
  query.decision = "mismatch";
  CHECK(logs.all(query) == Texts{"r mismatch"});
  query.decision = audit_operator;
  CHECK(logs.all(query) == Texts{"operator reload"});
  query.decision = audit_started;
  CHECK(logs.all(query) == Texts{"started"});
  query.decision = "held";
  CHECK(logs.all(query).empty());
}

TEST_CASE("filters choose by what an entry is about") {
  Logs logs;
  AuditForward ride = forward(1, logs.now());
  ride.subject = {"/v1/rides/42/dispatch", "ride", "42"};
  AuditForward other = forward(2, logs.now());
  other.subject = {"/v1/rides/43/dispatch", "ride", "43"};
  AuditForward job = forward(3, logs.now());
  job.subject = {"/v1/jobs/42", "job", "42"};
  logs.log->write(bytes_of(ride, other, job), 3);
  AuditRefusal stale = refusal(1, logs.now(), "stale");
  stale.subject = ride.subject;
  logs.log->hand_over(bytes_of(stale, refusal(4, logs.now())), 2);
  logs.now();
  logs.log->act({.action = "reload"});
  logs.log->act({.action = "release", .policy = "dispatch", .subject = ride.subject});
  logs.log->close();
  AuditQuery query;
  query.subject = {"", "ride", "42"};
  CHECK(logs.all(query) == Texts{"operator release", "r stale", "f1 pending"});
  query.policy = "dispatch";
  CHECK(logs.all(query) == Texts{"operator release", "r stale", "f1 pending"});
  query.policy = "another";
  CHECK(logs.all(query).empty());
  query = {};
  query.subject.path = "/v1/rides/42/dispatch";
  CHECK(logs.all(query) == Texts{"operator release", "r stale", "f1 pending"});
  query.subject.path = "/v1/rides/4";
  CHECK(logs.all(query).empty());
  query.subject.path = "/v1/rides/4*";
  query.decision = audit_forwarded;
  CHECK(logs.all(query) == Texts{"f2 pending", "f1 pending"});
  query.subject.path = "*";
  CHECK(logs.all(query) == Texts{"f3 pending", "f2 pending", "f1 pending"});
}

TEST_CASE("items come in the order of their times, in whatever order they were written down") {
  std::mt19937_64 random(GENERATE(1, 2, 3));
  Logs logs;
  logs.options.bytes_max = 8 * 4 * (64 << 10);  // files of 64 KiB
  logs.reopen();
  // Each worker hands over what it noted up to half a second ago, now and then.
  std::vector<std::string> pads(4);
  std::vector<std::size_t> counts(4);
  std::size_t all = 0;
  for (std::uint64_t step = 0; step < 6'000; ++step) {
    if (random() % 4 != 0) {
      logs.clock.advance(std::chrono::milliseconds(random() % 3));
    }
    const std::size_t worker = random() % pads.size();
    const WallTime time = logs.clock.now() - std::chrono::milliseconds(random() % 20);
    if (random() % 2 == 0) {
      pads[worker] += bytes_of(refusal(step, time));
      ++counts[worker];
    } else {
      logs.log->write(bytes_of(forward(step, time)), 1);
    }
    ++all;
    if (random() % 100 == 0) {
      logs.log->hand_over(std::exchange(pads[worker], {}), std::exchange(counts[worker], 0));
    }
  }
  for (std::size_t i = 0; i < pads.size(); ++i) logs.log->hand_over(pads[i], counts[i]);
  logs.reopen();
  CHECK(logs.log->forwards().files().size() > 3);
  CHECK(logs.log->refusals().files().size() > 3);
  for (const std::size_t size : {std::size_t{100'000}, std::size_t{997}}) {
    AuditQuery query;
    query.items_max = size;
    query.since = WallTime();
    WallTime newest = WallTime::max();
    std::size_t shown = 0;
    bool ordered = true;
    for (bool more = true; more;) {
      const auto next = find(*logs.log, query, [&](const AuditItem& item) {
        const WallTime time = std::visit([](const auto& entry) { return entry.time; }, item.entry);
        ordered = ordered && time <= newest;
        newest = time;
        if (!std::holds_alternative<AuditStart>(item.entry)) ++shown;
      });
      more = next.has_value();
      if (more) query.cursor = *next;
    }
    CHECK(ordered);
    CHECK(shown == all);
  }
}

TEST_CASE("of two entries in one millisecond, the refusal is the newer one") {
  Logs logs;
  const WallTime time = logs.now();
  logs.log->write(bytes_of(forward(1, time)), 1);
  logs.log->hand_over(bytes_of(refusal(1, time)), 1);
  logs.log->close();
  AuditQuery query;
  query.policy = "dispatch";
  CHECK(logs.all(query) == Texts{"r replayed", "f1 pending"});
}

TEST_CASE("entries older than the retention are not shown, even if their file still exists") {
  Logs logs;
  logs.sent(1);
  logs.clock.advance(logs.options.retention - 1h);
  logs.sent(2);
  CHECK(logs.forwards() == Texts{"f2 pending", "f1 pending"});
  logs.clock.advance(2h);
  CHECK(logs.forwards() == Texts{"f2 pending"});
}

TEST_CASE("names of outcomes are read back") {
  for (int i = 0; i < 5; ++i) {
    const auto outcome = static_cast<AuditOutcome>(i);
    CHECK(audit_outcome(name(outcome)) == outcome);
  }
  CHECK_FALSE(audit_outcome("lost"));
}
