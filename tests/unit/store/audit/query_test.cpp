#include "store/audit/query.hpp"

#include <catch2/catch.hpp>
#include <random>

#include "audit_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

/// What find() shows, in words: "f7 completed 200", "r7 replayed", "operator reload", "started".
std::string words(const AuditItem& item) {
  if (const auto* const sent = std::get_if<AuditForward>(&item.entry)) {
    std::string out = "f" + std::to_string(sent->fence) + " " + std::string(name(item.end.outcome));
    if (item.end.status != 0) out += " " + std::to_string(item.end.status);
    if (!item.end.error.empty()) out += " " + item.end.error;
    return out;
  }
  if (const auto* const refused = std::get_if<AuditRefusal>(&item.entry)) {
    return "r " + std::string(refused->decision);
  }
  if (const auto* const done = std::get_if<AuditAction>(&item.entry)) {
    return "operator " + std::string(done->action);
  }
  return "started";
}

using Texts = std::vector<std::string>;

struct Logs {
  TemporaryDirectory directory;
  ManualClock clock;
  AuditOptions options;
  std::unique_ptr<AuditLog> log = open();

  std::unique_ptr<AuditLog> open() {
    return std::make_unique<AuditLog>(directory.path() / "audit", options, clock,
                                      AuditLog::Failed());
  }
  void reopen() {
    log.reset();
    log = open();
  }
  WallTime now() {
    clock.advance(1ms);
    return clock.now();
  }
  void sent(std::uint64_t fence) { log->write(bytes_of(forward(fence, now())), 1); }
  void ended(std::uint64_t fence, AuditEnding::How how = AuditEnding::How::completed,
             int status = 200, std::string_view error = {}) {
    log->write(bytes_of(ending(fence, now(), how, status, error)), 1);
  }
  /// Into a file of its own: another hour.
  void next_file() { clock.advance(options.retention / 8); }

  Texts page(AuditQuery query, std::optional<AuditCursor>* next = nullptr) const {
    Texts out;
    const auto more = find(*log, query, [&](const AuditItem& item) { out.push_back(words(item)); });
    if (next != nullptr) *next = more;
    return out;
  }
  /// Page after page.
  Texts all(AuditQuery query) const {
    Texts out;
    for (int pages = 0; pages < 10'000; ++pages) {
      std::optional<AuditCursor> next;
      const Texts page = this->page(query, &next);
      CHECK(page.size() <= query.items_max);
      out.insert(out.end(), page.begin(), page.end());
      if (!next) return out;
      query.cursor = AuditCursor::parse(next->text()).value();
    }
    FAIL("no end");
    return out;
  }
  Texts forwards(AuditQuery query = {}) const {
    query.decision = audit_forwarded;
    return all(query);
  }
};

using How = AuditEnding::How;

}  // namespace

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

TEST_CASE("what a process left open is unknown once another one has begun") {
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

TEST_CASE("of two in one millisecond, what was refused is the newer") {
  Logs logs;
  const WallTime time = logs.now();
  logs.log->write(bytes_of(forward(1, time)), 1);
  logs.log->hand_over(bytes_of(refusal(1, time)), 1);
  logs.log->close();
  AuditQuery query;
  query.policy = "dispatch";
  CHECK(logs.all(query) == Texts{"r replayed", "f1 pending"});
}

TEST_CASE("what is older than the retention is not shown, though its file may still be there") {
  Logs logs;
  logs.sent(1);
  logs.clock.advance(logs.options.retention - 1h);
  logs.sent(2);
  CHECK(logs.forwards() == Texts{"f2 pending", "f1 pending"});
  logs.clock.advance(2h);
  CHECK(logs.forwards() == Texts{"f2 pending"});
}

TEST_CASE("pages of any size and any reading limit give what one page gives") {
  std::mt19937_64 random(GENERATE(1, 2, 3));
  Logs logs;
  std::vector<std::uint64_t> open;
  std::uint64_t fence = 0;
  for (int step = 0; step < 600; ++step) {
    switch (random() % 8) {
      case 0:
      case 1:
      case 2:
        logs.sent(++fence);
        open.push_back(fence);
        break;
      case 3:
      case 4:
        if (open.empty()) break;
        std::swap(open[random() % open.size()], open.back());
        logs.ended(open.back(), static_cast<How>(1 + random() % 3), random() % 2 ? 500 : 0, "e");
        open.pop_back();
        break;
      case 5:
        logs.log->hand_over(bytes_of(refusal(step, logs.now())), 1);
        break;
      case 6:
        if (random() % 10 == 0) logs.clock.advance(logs.options.retention / 40);
        break;
      case 7:
        if (random() % 20 == 0) {
          logs.reopen();
          open.clear();
        }
        break;
    }
  }
  logs.reopen();
  AuditQuery query;
  query.items_max = 100'000;
  const Texts whole = logs.all(query);
  CHECK(whole.size() > 200);
  CHECK(logs.log->forwards().files().size() > 2);
  for (const std::size_t size : {1, 7, 50}) {
    for (const std::uint64_t bytes : {1, 5'000, 1 << 30}) {
      query.items_max = size;
      query.bytes_max = bytes;
      CHECK(logs.all(query) == whole);
    }
  }
  for (const AuditOutcome outcome : {AuditOutcome::completed, AuditOutcome::failed,
                                     AuditOutcome::released, AuditOutcome::unknown}) {
    query.outcomes = {outcome};
    Texts expected;
    for (const std::string& item : whole) {
      if (item[0] == 'f' && item.find(name(outcome)) != std::string::npos) expected.push_back(item);
    }
    CHECK(!expected.empty());
    query.items_max = 3;
    CHECK(logs.all(query) == expected);
  }
}

TEST_CASE("a page goes on where the one before ended, whatever has come meanwhile") {
  Logs logs;
  for (std::uint64_t fence = 1; fence <= 4; ++fence) logs.sent(fence);
  AuditQuery query;
  query.decision = audit_forwarded;
  query.items_max = 2;
  std::optional<AuditCursor> next;
  CHECK(logs.page(query, &next) == Texts{"f4 pending", "f3 pending"});
  logs.sent(5);
  logs.ended(2);
  logs.next_file();
  logs.ended(1);
  REQUIRE(next);
  query.cursor = *next;
  query.items_max = 100;
  CHECK(logs.page(query, &next) == Texts{"f2 completed 200", "f1 completed 200"});
  CHECK_FALSE(next);
}

TEST_CASE("a cursor that nobody gave out is refused") {
  const AuditCursor cursor{{3, {1'000, 2, 17}}, {0, {0, 0, 0}}};
  CHECK(cursor.text() == "3.1000.2.17-0.0.0.0");
  const auto read = AuditCursor::parse(cursor.text());
  REQUIRE(read);
  CHECK(read->forwards == cursor.forwards);
  CHECK(read->refusals == cursor.refusals);
  for (const char* bad : {"", "3", "3.17-0.0", "3.1000.2.17", "3.1000.2.17-0.0.0",
                          "3.1000.2.17-0.0.0.0x", "-1.0.0.0-0.0.0.0", "3.1000.2.17-0.0.0.0-",
                          "a.b.c.d-e.f.g.h", "99999999999999999999.0.0.0-0.0.0.0"}) {
    CHECK_FALSE(AuditCursor::parse(bad));
  }
}

TEST_CASE("a cursor that points anywhere reads nothing wrong") {
  Logs logs;
  for (std::uint64_t fence = 1; fence <= 3; ++fence) logs.sent(fence);
  std::mt19937_64 random(1);
  for (int round = 0; round < 300; ++round) {
    AuditQuery query;
    const auto time = logs.clock.now().time_since_epoch().count() - std::int64_t(random() % 10);
    query.cursor = {{random() % 4, {time, random() % 4, random() % 600}},
                    {random(), {std::int64_t(random()), random(), random()}}};
    const Texts found = logs.page(query);
    CHECK(found.size() <= 4);
  }
}

TEST_CASE("names of outcomes are read back") {
  for (int i = 0; i < 5; ++i) {
    const auto outcome = static_cast<AuditOutcome>(i);
    CHECK(audit_outcome(name(outcome)) == outcome);
  }
  CHECK_FALSE(audit_outcome("lost"));
}
