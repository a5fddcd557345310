#include "proxy/cli/commands.hpp"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace onceproxy::cli {
namespace {

/// A file that is gone with the test.
class File {
 public:
  explicit File(const std::string& text)
      : path_(std::filesystem::temp_directory_path() /
              ("onceproxy-cli-" + std::to_string(::getpid()) + "-" + std::to_string(made_++))) {
    std::ofstream(path_) << text;
  }
  ~File() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  std::string path() const { return path_.string(); }

 private:
  static inline int made_ = 0;
  std::filesystem::path path_;
};

struct Said {
  int code;
  std::string out;
  std::string err;
};

Said run(const std::vector<std::string>& words, const std::string& input = "") {
  std::istringstream in(input);
  std::ostringstream out;
  std::ostringstream err;
  CLI::App app("test");
  int code = -1;
  add_commands(app, {in, out, err}, code);
  std::vector<std::string> reversed(words.rbegin(), words.rend());
  app.parse(reversed);
  return {code, out.str(), err.str()};
}

const std::string good = "listen: 127.0.0.1:0\nupstream: {address: \"127.0.0.1:1\"}\n";

TEST_CASE("check says in one line that a file is good") {
  const File file(good);
  const Said result = run({"check", file.path()});
  CHECK(result.code == exit_good);
  CHECK(result.out == file.path() + ": good, 0 policies\n");
  CHECK(result.err.empty());
  const Said example = run({"check", EXAMPLES_DIR "/minimal.yaml"});
  CHECK(example.out == EXAMPLES_DIR "/minimal.yaml: good, 1 policy\n");
}

TEST_CASE("check prints every problem of a bad file and exits with 1") {
  const File file(good + "workers: x\nlgo: {}\n");
  const Said result = run({"check", file.path()});
  CHECK(result.code == exit_bad);
  CHECK(result.out.empty());
  CHECK(result.err == file.path() +
                          ":3:10: workers: expected a whole number, found \"x\"\n"
                          "  workers: x\n           ^\n" +
                          file.path() +
                          ":4:1: lgo: unknown key \"lgo\"; did you mean \"log\"?\n"
                          "  lgo: {}\n  ^\n2 problems\n");
}

TEST_CASE("check exits with 2 when there is nothing to read") {
  const Said result = run({"check", "/nowhere/at/all"});
  CHECK(result.code == exit_unreadable);
  CHECK(result.err == "onceproxy: cannot read /nowhere/at/all: No such file or directory\n");
  const Said folder = run({"check", "/tmp"});
  CHECK(folder.code == exit_unreadable);
  CHECK(folder.err == "onceproxy: cannot read /tmp: Is a directory\n");
}

TEST_CASE("check --format json is one object on stdout, good or bad") {
  const File bad(good + "workers: x\n");
  const Said result = run({"check", "--format", "json", bad.path()});
  CHECK(result.code == exit_bad);
  CHECK(result.err.empty());
  CHECK(result.out == "{\"file\":\"" + bad.path() +
                          "\",\"valid\":false,\"problems\":[{\"file\":\"" + bad.path() +
                          "\",\"line\":3,\"column\":10,\"path\":\"workers\",\"message\":\"expected "
                          "a whole number, found \\\"x\\\"\"}]}\n");
  const File fine(good);
  const Said valid = run({"check", fine.path(), "--format", "json"});
  CHECK(valid.code == exit_good);
  CHECK(valid.out == "{\"file\":\"" + fine.path() + "\",\"valid\":true,\"problems\":[]}\n");
  CHECK_THROWS_AS(run({"check", fine.path(), "--format", "xml"}), CLI::ParseError);
}

TEST_CASE("check reads the files of listeners that policies name") {
  const auto with_file = [](const std::string& path) {
    return good +
           "policies:\n- {name: p, fingerprint: [{body: /id}], scope: shared, delivery: "
           "{listeners_file: " +
           path + "}}\n";
  };
  const File listeners("- {name: a, address: \"127.0.0.1:1\"}\n");
  const File file(with_file(listeners.path()));
  CHECK(run({"check", file.path()}).code == exit_good);
  const File wrong("- {name: a}\n");
  const File names_wrong(with_file(wrong.path()));
  const Said said = run({"check", names_wrong.path()});
  CHECK(said.code == exit_bad);
  CHECK(said.err.find(wrong.path() + ":1:3: [0]: `address` is missing") != std::string::npos);
  const File names_none(with_file("/nowhere/at/all"));
  const Said none = run({"check", names_none.path()});
  CHECK(none.code == exit_bad);
  CHECK(none.err.find("policies[0].delivery.listeners_file") != std::string::npos);
}

TEST_CASE("schema prints the schema") {
  const Said result = run({"schema"});
  CHECK(result.code == exit_good);
  CHECK(result.out == config::json_schema());
  CHECK(run({"schema", "--format", "json"}).out == config::json_schema());
}

TEST_CASE("schema --format markdown prints the reference") {
  const Said result = run({"schema", "--format", "markdown"});
  CHECK(result.code == exit_good);
  CHECK(result.out == config::reference());
  CHECK_THROWS_AS(run({"schema", "--format", "yaml"}), CLI::ParseError);
}

TEST_CASE("explain reads a file or stdin") {
  const std::string request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
  const File file(request);
  const File config(good);
  const std::string expected =
      "request       GET /\npolicy        none: the request passes through untouched\n";
  CHECK(run({"explain", "-c", config.path(), file.path()}).out == expected);
  CHECK(run({"explain", "--config", config.path(), "-"}, request).out == expected);
  CHECK(run({"explain", "-c", config.path(), "/nowhere"}).code == exit_unreadable);
  CHECK(run({"explain", "-c", "/nowhere", "-"}).code == exit_unreadable);
  const File bad("nope");
  CHECK(run({"explain", "-c", bad.path(), "-"}, request).code == exit_bad);
}

}  // namespace
}  // namespace onceproxy::cli
