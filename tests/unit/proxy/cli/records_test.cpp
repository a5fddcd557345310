#include "proxy/cli/records.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "proxy/admin/server.hpp"

namespace onceproxy::cli {
namespace {

/// An admin port that answers what a test wrote down, and remembers what it was asked.
struct Port {
  std::map<std::string, admin::Response> answers;
  std::vector<std::string> asked;
  admin::Server server{{"127.0.0.1", 0, ""}};

  Port() {
    for (const char* method : {"GET", "POST", "DELETE"}) {
      server.add(method, "/*", "", [this, method](const admin::Request& request) {
        std::string name = std::string(method) + " " + request.path;
        for (const auto& [key, value] : request.query) name += " " + key + "=" + value;
        asked.push_back(name);
        const auto answer = answers.find(name);
        return answer == answers.end() ? admin::Response{404, "application/json",
                                                         R"({"error":"no record of that name"})"}
                                       : answer->second;
      });
    }
    server.start();
  }
  void answer(const std::string& name, const std::string& body, int status = 200) {
    answers[name] = {status, "application/json", body};
  }
};

struct Ran {
  int code;
  std::string out;
  std::string err;
};

Ran run(const Port& port, RecordsArguments arguments) {
  if (arguments.admin == RecordsArguments().admin) arguments.admin = port.server.address();
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  const int code = records(arguments, {in, out, err});
  return {code, out.str(), err.str()};
}

RecordsArguments action(const std::string& name, const std::string& fingerprint = "") {
  RecordsArguments arguments;
  arguments.action = name;
  arguments.fingerprint = fingerprint;
  return arguments;
}

std::string record(const std::string& fingerprint, const std::string& state,
                   const std::string& more = "") {
  return R"({"fingerprint":")" + fingerprint + R"(","policy":"dispatch","state":")" + state +
         R"(","held":false,"created":"2026-01-02T03:04:05.678Z",)"
         R"("expires":"2026-01-03T03:04:05.678Z","attempts":2,"fence":7,"duplicates":3)" +
         more + "}";
}

TEST_CASE("a list is a table whose columns fit") {
  Port port;
  port.answer(
      "GET /records limit=50",
      R"({"items":[)" + record("aa", "completed", R"(,"status":201)") + "," +
          record("bbb", "unknown", R"(,"error":"No\nanswer","entity":"ride/1","path":"/v1")") +
          "]}");
  const Ran ran = run(port, action("list"));
  CHECK(ran.code == exit_good);
  CHECK(ran.err.empty());
  CHECK(ran.out ==
        "FINGERPRINT  STATE      POLICY    ENTITY  CREATED              EXPIRES              "
        "ATTEMPTS  DUPLICATES  OUTCOME     PATH\n"
        "aa           completed  dispatch          2026-01-02 03:04:05  2026-01-03 03:04:05  "
        "2         3           201\n"
        "bbb          unknown    dispatch  ride/1  2026-01-02 03:04:05  2026-01-03 03:04:05  "
        "2         3           No\\nanswer  /v1\n");
}

TEST_CASE("a list goes on from page to page until it has what was asked for") {
  Port port;
  port.answer("GET /records limit=3",
              R"({"items":[)" + record("a", "unknown") + R"(],"next":"a"})");
  port.answer("GET /records cursor=a limit=2", R"({"items":[)" + record("b", "unknown") + "," +
                                                   record("c", "unknown") + R"(],"next":"c"})");
  RecordsArguments arguments = action("list");
  arguments.limit = 3;
  arguments.json = true;
  const Ran ran = run(port, arguments);
  CHECK(ran.code == exit_good);
  CHECK(std::ranges::count(ran.out, '\n') == 3);
  CHECK(ran.out.find(R"("fingerprint":"c")") != std::string::npos);
  CHECK(ran.err == "There are more records; --limit 0 lists all.\n");
}

TEST_CASE("all are listed with a limit of 0, by policy and state") {
  Port port;
  port.answer("GET /records limit=1000 policy=p state=unknown", R"({"items":[],"next":"a"})");
  port.answer("GET /records cursor=a limit=1000 policy=p state=unknown", R"({"items":[]})");
  port.answer("GET /policies", R"({"items":[{"name":"p"}]})");
  RecordsArguments arguments = action("list");
  arguments.limit = 0;
  arguments.policy = "p";
  arguments.state = "unknown";
  const Ran ran = run(port, arguments);
  CHECK(ran.code == exit_good);
  CHECK(ran.out == "No records.\n");
  CHECK(ran.err.empty());
}

TEST_CASE("a policy that there is not, and of which there is no record, is an error") {
  Port port;
  port.answer("GET /records limit=50 policy=odrers", R"({"items":[]})");
  port.answer("GET /policies", R"({"items":[{"name":"orders"}]})");
  RecordsArguments arguments = action("list");
  arguments.policy = "odrers";
  const Ran ran = run(port, arguments);
  CHECK(ran.code == exit_bad);
  CHECK(ran.out.empty());
  CHECK(ran.err ==
        "onceproxy: no policy is called \"odrers\", and it has no records; did you mean "
        "\"orders\"?\n");
}

TEST_CASE("a policy that was removed is no error while records of it are left") {
  Port port;
  port.answer("GET /records limit=50 policy=old state=unknown", R"({"items":[]})");
  port.answer("GET /records limit=1 policy=old",
              R"({"items":[)" + record("aa", "completed") + "]}");
  port.answer("GET /policies", R"({"items":[{"name":"orders"}]})");
  RecordsArguments arguments = action("list");
  arguments.policy = "old";
  arguments.state = "unknown";
  const Ran ran = run(port, arguments);
  CHECK(ran.code == exit_good);
  CHECK(ran.out == "No records.\n");
}

TEST_CASE("one record is shown field by field") {
  Port port;
  port.answer("GET /records/aa", record("aa", "unknown", R"(,"error":"No answer.")"));
  const Ran ran = run(port, action("show", "aa"));
  CHECK(ran.code == exit_good);
  CHECK(ran.out ==
        "fingerprint     aa\npolicy          dispatch\nstate           unknown\n"
        "held            false\ncreated         2026-01-02T03:04:05.678Z\n"
        "expires         2026-01-03T03:04:05.678Z\nattempts        2\nfence           7\n"
        "error           No answer.\nduplicates      3\n");
}

TEST_CASE("a change is asked for once, and told when it is done") {
  Port port;
  port.answer("POST /records/aa/release", R"({"status":"done"})");
  port.answer("POST /records/aa/resolve", R"({"status":"done"})");
  port.answer("DELETE /records/aa", R"({"status":"done"})");
  CHECK(run(port, action("release", "aa")).out == "aa: released\n");
  CHECK(run(port, action("resolve", "aa")).out == "aa: resolved\n");
  CHECK(run(port, action("forget", "aa")).out == "aa: forgotten\n");
  CHECK(port.asked == std::vector<std::string>{"POST /records/aa/release",
                                               "POST /records/aa/resolve", "DELETE /records/aa"});
}

TEST_CASE("a record is resolved with the answer that is given, and not with half of one") {
  Port port;
  port.answer("POST /records/aa/resolve header=A: b&c header=D: e status=201",
              R"({"status":"done"})");
  RecordsArguments arguments = action("resolve", "aa");
  arguments.status = 201;
  arguments.headers = {"A: b&c", "D: e"};
  CHECK(run(port, arguments).out == "aa: resolved\n");
  arguments.status = 0;
  const Ran refused = run(port, arguments);
  CHECK(refused.code == exit_bad);
  CHECK(refused.err.find("--status") != std::string::npos);
  arguments.status = 200;
  arguments.body = "/nowhere/body";
  CHECK(run(port, arguments).code == exit_unreadable);
  CHECK(port.asked.size() == 1);
}

TEST_CASE("a list asks for what it is told to") {
  Port port;
  port.answer("GET /records entity=ride/42 limit=50 older_than=5m path=/v1/* state=reserved",
              R"({"items":[]})");
  RecordsArguments arguments = action("list");
  arguments.entity = "ride/42";
  arguments.older_than = "5m";
  arguments.path = "/v1/*";
  arguments.state = "reserved";
  CHECK(run(port, arguments).out == "No records.\n");
}

TEST_CASE("a record is named by a fingerprint or a request, and by one of them alone") {
  Port port;
  CHECK(run(port, action("show")).code == exit_bad);
  RecordsArguments both = action("show", "aa");
  both.request = "request.txt";
  CHECK(run(port, both).code == exit_bad);
  CHECK(port.asked.empty());
}

TEST_CASE("a rehearsal changes nothing and says whether it could be done") {
  struct Case {
    const char* action;
    const char* state;
    int code;
  };
  for (const Case& one :
       {Case{"release", "unknown", exit_good}, Case{"release", "completed", exit_bad},
        Case{"resolve", "unknown", exit_good}, Case{"resolve", "reserved", exit_bad},
        Case{"forget", "completed", exit_good}}) {
    Port port;
    port.answer("GET /records/aa", record("aa", one.state));
    RecordsArguments arguments = action(one.action, "aa");
    arguments.dry_run = true;
    const Ran ran = run(port, arguments);
    CHECK(ran.code == one.code);
    CHECK(ran.out.starts_with("fingerprint     aa\n"));
    CHECK(port.asked == std::vector<std::string>{"GET /records/aa"});
    CHECK((ran.err.find("Nothing was changed") != std::string::npos) == (one.code == exit_good));
  }
}

TEST_CASE("a refusal of the admin port is printed as it is, with exit code 1") {
  Port port;
  const Ran ran = run(port, action("show", "aa"));
  CHECK(ran.code == exit_bad);
  CHECK(ran.err == "onceproxy: no record of that name\n");
}

TEST_CASE("an admin port that is not there is exit code 2, and a bad address 1") {
  const Port port;
  RecordsArguments arguments = action("list");
  arguments.admin = "unix:/nowhere/admin";
  CHECK(run(port, arguments).code == exit_unreadable);
  arguments.admin = "nonsense";
  CHECK(run(port, arguments).code == exit_bad);
  arguments = action("list");
  arguments.token_file = "/nowhere/token";
  CHECK(run(port, arguments).code == exit_unreadable);
}

}  // namespace
}  // namespace onceproxy::cli
