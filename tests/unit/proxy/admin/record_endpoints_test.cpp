#include "proxy/admin/record_endpoints.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "client.hpp"
#include "policies/entity.hpp"

namespace onceproxy::admin {
namespace {

using namespace std::chrono_literals;
using store::Changed;
using store::EntityKey;
using store::Fingerprint;
using store::RecordView;
using store::WallTime;

Fingerprint numbered(std::uint8_t number) {
  Fingerprint fingerprint;
  fingerprint.bytes.fill(number);
  return fingerprint;
}

/// Answers what a test tells it to, and remembers what it was asked.
struct FakeInspection final : store::Inspection {
  std::vector<RecordView> all;
  std::optional<store::EntityView> ride;
  Changed result = Changed::done;
  bool readable = true;

  store::RecordFilter filter;
  std::vector<std::string> asked;
  /// Given with the last resolve.
  std::optional<store::StoredAnswer> answer;

  std::variant<store::RecordPage, store::Unreadable> records(
      const store::RecordFilter& wanted, const std::optional<Fingerprint>& after,
      std::size_t limit) override {
    filter = wanted;
    if (!readable) return store::Unreadable{"it is closed"};
    store::RecordPage page;
    for (const RecordView& record : all) {
      if (after && record.fingerprint <= *after) continue;
      if (page.items.size() == limit) {
        page.next = page.items.back().fingerprint;
        break;
      }
      page.items.push_back(record);
    }
    return page;
  }
  std::variant<std::optional<RecordView>, store::Unreadable> record(
      const Fingerprint& fingerprint) override {
    if (!readable) return store::Unreadable{"it is closed"};
    for (const RecordView& record : all) {
      if (record.fingerprint == fingerprint) return record;
    }
    return std::nullopt;
  }
  Changed change(std::string what) {
    asked.push_back(std::move(what));
    return result;
  }
  Changed release(const Fingerprint& f) override { return change("release " + f.hex()); }
  Changed resolve(const Fingerprint& f, const std::optional<store::StoredAnswer>& given) override {
    answer = given;
    return change("resolve " + f.hex());
  }
  Changed forget(const Fingerprint& f) override { return change("forget " + f.hex()); }
  std::variant<std::optional<store::EntityView>, store::Unreadable> entity(
      const EntityKey& key) override {
    const std::vector<std::string> id{"r/1", "a b"};
    if (key == policies::entity_key("ride", id)) return ride;
    return std::nullopt;
  }
  Changed open(const EntityKey& key) override { return change("open " + key.hex()); }
};

struct Program {
  FakeInspection inspection;
  std::vector<std::string> acted;
  std::vector<Touched> touched;
  Server server{{"127.0.0.1", 0, ""}};

  Program() {
    RecordView record;
    record.fingerprint = numbered(1);
    record.state = RecordView::State::unknown;
    record.policy = "dispatch";
    record.request_id = "r-1";
    record.error = "No answer \"came\".";
    record.created = WallTime(1'767'323'045'678ms);
    record.lease_ends = record.created + 30s;
    record.expires = record.created + 24h;
    record.attempts = 2;
    record.fence = 77;
    record.duplicates = 3;
    record.last_duplicate = record.created + 1s;
    inspection.all.push_back(record);
    RecordView done;
    done.fingerprint = numbered(2);
    done.state = RecordView::State::completed;
    done.policy = "alerts";
    done.status = 201;
    inspection.all.push_back(done);
    add_record_endpoints(
        server, inspection,
        {[this](std::string_view action, std::string_view target, std::string_view result) {
           acted.push_back(std::string(action) + " " + std::string(target) + " " +
                           std::string(result));
         },
         [](std::string_view name, std::string_view) -> std::optional<std::string> {
           if (name == "Connection") return "is not for answers";
           return std::nullopt;
         }});
    server.watch(
        [this](const Request&, const Response& response) { touched.push_back(response.touched); });
    server.start();
  }
  std::string call(const std::string& method, const std::string& target) {
    return fetch(server.address(), method, target);
  }
};

const std::string first = R"({"fingerprint":")" + numbered(1).hex() +
                          R"(","policy":"dispatch","state":"unknown","held":false,)"
                          R"("created":"2026-01-02T03:04:05.678Z",)"
                          R"("lease_ends":"2026-01-02T03:04:35.678Z",)"
                          R"("expires":"2026-01-03T03:04:05.678Z","attempts":2,"fence":77,)"
                          R"("request_id":"r-1","error":"No answer \"came\".","duplicates":3,)"
                          R"("last_duplicate":"2026-01-02T03:04:06.678Z"})";

TEST_CASE("records are listed page by page, each with what an operator needs") {
  Program program;
  const std::string page = program.call("GET", "/records?limit=1");
  CHECK(status(page) == 200);
  CHECK(body(page) == R"({"items":[)" + first + R"(],"next":")" + numbered(1).hex() + "\"}\n");
  const std::string rest = program.call("GET", "/records?limit=1&cursor=" + numbered(1).hex());
  CHECK(body(rest) == R"({"items":[{"fingerprint":")" + numbered(2).hex() +
                          R"(","policy":"alerts","state":"completed","held":false,)"
                          R"("created":"1970-01-01T00:00:00.000Z",)"
                          R"("expires":"1970-01-01T00:00:00.000Z","attempts":1,"fence":0,)"
                          R"("status":201,"duplicates":0}]})"
                          "\n");
}

TEST_CASE("a list is asked for by policy and state") {
  Program program;
  CHECK(status(program.call("GET", "/records?policy=dispatch&state=unknown")) == 200);
  program.server.stop();
  CHECK(program.inspection.filter.policy == "dispatch");
  CHECK(program.inspection.filter.state == RecordView::State::unknown);
}

TEST_CASE("a list with an argument that is wrong, unknown or given twice is 400") {
  Program program;
  for (const char* query : {"limit=0", "limit=1001", "limit=x", "limit=1x", "limit=", "state=done",
                            "cursor=1", "page=2", "state=unknown&state=reserved", "older_than=5",
                            "entity=ride", "entity=/1", "path=rides"}) {
    const std::string answer = program.call("GET", std::string("/records?") + query);
    CHECK(status(answer) == 400);
    CHECK(body(answer).starts_with("{\"error\":\""));
  }
}

TEST_CASE("one record is shown, another is 404, and what is no fingerprint 400") {
  Program program;
  CHECK(body(program.call("GET", "/records/" + numbered(1).hex())) == first + "\n");
  CHECK(status(program.call("GET", "/records/" + numbered(9).hex())) == 404);
  CHECK(status(program.call("GET", "/records/abc")) == 400);
  CHECK(status(program.call("DELETE", "/records/abc")) == 400);
}

TEST_CASE("a store that cannot be read is 503, not an empty list") {
  Program program;
  program.inspection.readable = false;
  CHECK(status(program.call("GET", "/records")) == 503);
  CHECK(status(program.call("GET", "/records/" + numbered(1).hex())) == 503);
}

TEST_CASE("each change reaches the store, and is noted with how it ended") {
  struct Case {
    const char* method;
    const char* suffix;
    const char* action;
  };
  for (const Case& one : {Case{"POST", "/release", "release"}, Case{"POST", "/resolve", "resolve"},
                          Case{"DELETE", "", "forget"}}) {
    Program program;
    const std::string hex = numbered(1).hex();
    const std::string target = "/records/" + hex + one.suffix;
    CHECK(status(program.call(one.method, target)) == 200);
    program.inspection.result = Changed::absent;
    CHECK(status(program.call(one.method, target)) == 404);
    program.inspection.result = Changed::conflict;
    CHECK(status(program.call(one.method, target)) == 409);
    program.inspection.result = Changed::failed;
    CHECK(status(program.call(one.method, target)) == 503);
    program.server.stop();
    const std::string noted = std::string(one.action) + " " + hex + " ";
    CHECK(program.acted == std::vector<std::string>{noted + "done", noted + "absent",
                                                    noted + "conflict", noted + "failed"});
    CHECK(program.inspection.asked ==
          std::vector<std::string>(4, std::string(one.action) + " " + hex));
  }
}

TEST_CASE("a change tells what the record was about, for whoever writes it down") {
  Program program;
  program.inspection.all[0].path = "/v1/rides/42";
  program.inspection.all[0].entity_type = "ride";
  program.inspection.all[0].entity_id = "42";
  CHECK(status(program.call("POST", "/records/" + numbered(1).hex() + "/release")) == 200);
  CHECK(status(program.call("POST", "/entities/ride/42/open")) == 200);
  program.server.stop();
  REQUIRE(program.touched.size() == 2);
  CHECK(program.touched[0].policy == "dispatch");
  CHECK(program.touched[0].path == "/v1/rides/42");
  for (const Touched& touched : program.touched) {
    CHECK(touched.entity_type == "ride");
    CHECK(touched.entity_id == "42");
  }
}

TEST_CASE("a record is resolved with an answer for duplicates") {
  Program program;
  const std::string target = "/records/" + numbered(1).hex() + "/resolve";
  const auto resolve = [&](const std::string& query, const std::string& content = "") {
    return fetch(program.server.address(), "POST", target + query,
                 "Content-Length: " + std::to_string(content.size()) + "\r\n", content);
  };
  CHECK(status(resolve("")) == 200);
  CHECK_FALSE(program.inspection.answer);
  CHECK(status(resolve("?status=201&header=Content-Type:%20text/plain&header=X-A:1", "done")) ==
        200);
  REQUIRE(program.inspection.answer);
  CHECK(program.inspection.answer->status == 201);
  CHECK(program.inspection.answer->replayable);
  CHECK(program.inspection.answer->body == "done");
  CHECK(
      program.inspection.answer->head.starts_with("Content-Type: text/plain\r\nX-A: 1\r\nDate: "));
  CHECK(status(resolve("?status=200&header=date:x")) == 200);
  CHECK(program.inspection.answer->head == "date: x\r\n");
  for (const std::string bad :
       {"?status=199", "?status=304", "?status=600", "?status=x", "?status=200&status=201",
        "?header=A:b", "?status=200&header=A", "?status=200&header=Connection:close", "?to=done"}) {
    INFO(bad);
    CHECK(status(resolve(bad)) == 400);
  }
  CHECK(status(resolve("", "no status")) == 400);
  CHECK(status(resolve("?status=204", "no content")) == 400);
  program.server.stop();
  CHECK(program.inspection.asked.size() == 3);
  // The answer for duplicates does not appear in the audit log.
  CHECK(program.touched[1].detail == "4 bytes");
}

TEST_CASE("a list is asked for by age and by what records are about") {
  Program program;
  CHECK(status(program.call("GET", "/records?older_than=5m&entity=ride/a/b&path=/v1/*")) == 200);
  program.server.stop();
  CHECK(program.inspection.filter.older_than == 5min);
  CHECK(program.inspection.filter.subject.entity_type == "ride");
  CHECK(program.inspection.filter.subject.entity_id == "a/b");
  CHECK(program.inspection.filter.subject.path == "/v1/*");
}

TEST_CASE("a GET of what changes something is 405") {
  Program program;
  CHECK(status(program.call("GET", "/records/" + numbered(1).hex() + "/release")) == 405);
  CHECK(status(program.call("GET", "/records/" + numbered(1).hex() + "/resolve")) == 405);
  CHECK(status(program.call("GET", "/entities/ride/42/open")) == 405);
  CHECK(status(program.call("POST", "/records/" + numbered(1).hex())) == 405);
  CHECK(program.inspection.asked.empty());
}

TEST_CASE("an entity is named by its type and the parts of its id, decoded one by one") {
  Program program;
  store::EntityView& ride = program.inspection.ride.emplace();
  ride.type = "ride";
  ride.id = "r/1/a b";
  ride.sequence = -3;
  ride.waiting = 2;
  ride.closed_until = WallTime(1'767'323'045'678ms);
  ride.holder = numbered(4);
  CHECK(body(program.call("GET", "/entities/ride/r%2F1/a%20b")) ==
        R"({"type":"ride","id":"r/1/a b","closed":true,)"
        R"("closed_until":"2026-01-02T03:04:05.678Z","sequence":-3,"holder":")" +
            numbered(4).hex() + R"(","waiting":2,"expires":"1970-01-01T00:00:00.000Z"})" + "\n");
  ride.sequence = store::Sequence::of_time(1'767'323'045, 0);
  CHECK(body(program.call("GET", "/entities/ride/r%2F1/a%20b"))
            .find(R"("sequence":"2026-01-02T03:04:05Z",)") != std::string::npos);
  CHECK(status(program.call("GET", "/entities/ride/r/1/a%20b")) == 404);
  CHECK(status(program.call("GET", "/entities/ride")) == 400);

  CHECK(status(program.call("POST", "/entities/ride/r%2F1/a%20b/open")) == 200);
  CHECK(status(program.call("POST", "/entities/ride/42/open")) == 200);
  CHECK(status(program.call("POST", "/entities/ride/42/close")) == 404);
  program.server.stop();
  const std::vector<std::string> parts{"r/1", "a b"};
  const std::vector<std::string> part{"42"};
  CHECK(program.inspection.asked ==
        std::vector<std::string>{"open " + policies::entity_key("ride", parts).hex(),
                                 "open " + policies::entity_key("ride", part).hex()});
  CHECK(program.acted == std::vector<std::string>{"open ride/r/1/a b done", "open ride/42 done"});
}

}  // namespace
}  // namespace onceproxy::admin
