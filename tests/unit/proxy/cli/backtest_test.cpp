#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "proxy/cli/commands.hpp"

namespace onceproxy::cli {
namespace {

/// Files that are gone with the test.
class Files {
 public:
  Files() {
    std::string pattern = (std::filesystem::temp_directory_path() / "onceproxy-XXXXXX").string();
    REQUIRE(mkdtemp(pattern.data()) != nullptr);
    directory_ = pattern;
  }
  ~Files() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
  Files(const Files&) = delete;
  Files& operator=(const Files&) = delete;

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(directory_ / name) << text;
    return (directory_ / name).string();
  }

 private:
  std::filesystem::path directory_;
};

struct Said {
  int code;
  std::string out;
  std::string err;
};

Said run(const BacktestArguments& arguments, const std::string& input = "", bool terminal = false) {
  std::istringstream in(input);
  std::ostringstream out;
  std::ostringstream err;
  const int code = backtest(arguments, {in, out, err, terminal});
  return {code, out.str(), err.str()};
}

const std::string config =
    "listen: 127.0.0.1:0\nupstream: {address: \"127.0.0.1:1\"}\npolicies:\n"
    "  - {name: orders, fingerprint: client_key, scope: shared}\n";

std::string line(int time, const std::string& key) {
  return R"({"time":)" + std::to_string(time) +
         R"(,"method":"POST","target":"/","headers":{"idempotency-key":")" + key +
         "\"},\"status\":200}\n";
}

TEST_CASE("backtest prints a table of what each policy would have done") {
  const Files files;
  const std::string file = files.write("c.yaml", config);
  const std::string log = files.write("log", line(1, "a") + line(2, "a") + line(3, "b"));
  const Said said = run({file, log});
  CHECK(said.code == exit_good);
  CHECK(said.err.empty());
  CHECK(said.out == log +
                        ": 3 requests, 1970-01-01T00:00:01.000Z to 1970-01-01T00:00:03.000Z\n\n"
                        "policy       requests  forwarded  replayed\n"
                        "orders              3          2         1\n"
                        "(no policy)         0\n");
  const Said from_stdin = run({file, "-"}, line(1, "a"));
  CHECK(from_stdin.out.starts_with("-: 1 request, "));
}

TEST_CASE("lines that are no requests are counted, and the first few told with their numbers") {
  const Files files;
  const std::string file = files.write("c.yaml", config);
  const Said said = run({file, "-"}, "x\n" + line(1, "a") + "{}\nx\nx\nx\nx\nx\n");
  CHECK(said.code == exit_good);
  CHECK(said.err ==
        "-:1: not a request: it is not a JSON object\n-:3: not a request: it has no \"time\"\n"
        "-:4: not a request: it is not a JSON object\n-:5: not a request: it is not a JSON object\n"
        "-:6: not a request: it is not a JSON object\n"
        "7 lines or entries are not requests; these are the first 5\n");
}

TEST_CASE("a log without a request, or one that breaks off, is bad") {
  const Files files;
  const std::string file = files.write("c.yaml", config);
  const Said empty = run({file, "-"});
  CHECK(empty.code == exit_bad);
  CHECK(empty.out.empty());
  CHECK(empty.err == "onceproxy: -: it contains no request\n");
  const Said cut =
      run({file, "-"}, R"({"log":{"entries":[{"startedDateTime":"2026-01-02T03:04:05Z","request":)"
                       R"({"method":"GET","url":"http://h/"}},)");
  CHECK(cut.code == exit_bad);
  CHECK(cut.out.find("orders") != std::string::npos);
  CHECK(cut.err == "onceproxy: -: it breaks off: the document does not end\n");
}

TEST_CASE("the bound on what is remembered ends it, with what was found up to there") {
  const Files files;
  const std::string file = files.write("c.yaml", config);
  const Said said = run({file, "-", false, 2}, line(1, "a") + line(2, "b") + line(3, "c"));
  CHECK(said.code == exit_bad);
  CHECK(said.out.starts_with("-: 2 requests, "));
  CHECK(said.err ==
        "onceproxy: -: line 3: more than 2 operations, entities and rate limits are remembered at "
        "once; take a higher --max-operations (about 250 bytes each), shorter windows, or a "
        "shorter log\n");
}

TEST_CASE("with json everything is one object on stdout") {
  const Files files;
  const std::string file = files.write("c.yaml", config);
  const Said said = run({file, "-", true}, "x\n" + line(1, "a"));
  CHECK(said.code == exit_good);
  CHECK(said.err.empty());
  CHECK(said.out.starts_with(R"({"log":"-","complete":true,"error":null,"requests":1,)"));
  CHECK(said.out.find(R"("first":[{"line":1,"message":"it is not a JSON object"}])") !=
        std::string::npos);
  const Said bad = run({file, "-", true}, "x\n");
  CHECK(bad.code == exit_bad);
  CHECK(bad.out.find(R"("complete":false,"error":"it contains no request")") != std::string::npos);
}

TEST_CASE("the exit code is 2 for a file that cannot be read, and 1 for an invalid configuration") {
  const Files files;
  const std::string file = files.write("c.yaml", config);
  CHECK(run({"/nowhere", "-"}).code == exit_unreadable);
  const Said log = run({file, "/nowhere"});
  CHECK(log.code == exit_unreadable);
  CHECK(log.err == "onceproxy: cannot read /nowhere: No such file or directory\n");
  const Said bad = run({files.write("bad.yaml", config + "lgo: 1\n"), "-"});
  CHECK(bad.code == exit_bad);
  CHECK(bad.err.find("lgo") != std::string::npos);
}

TEST_CASE("a terminal sees how far it is, anything else does not") {
  const Files files;
  const std::string file = files.write("c.yaml", config);
  const std::string log = files.write("log", line(1, "a"));
  CHECK(run({file, log}, "", true).err.find("100% 0 requests") != std::string::npos);
  CHECK(run({file, log}).err.empty());
}

}  // namespace
}  // namespace onceproxy::cli
