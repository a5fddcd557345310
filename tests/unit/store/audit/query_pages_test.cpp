// How a query of the audit log goes on from page to page.
#include <catch2/catch.hpp>
#include <random>

#include "query_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

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
