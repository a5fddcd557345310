#include "proxy/telemetry/log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <functional>
#include <limits>
#include <regex>
#include <string>

namespace onceproxy::telemetry {
namespace {

/// What `act` writes to stderr.
std::string stderr_of(const std::function<void()>& act) {
  int ends[2];
  REQUIRE(pipe2(ends, O_CLOEXEC) == 0);
  const int before = dup(2);
  dup2(ends[1], 2);
  close(ends[1]);
  act();
  dup2(before, 2);
  close(before);
  std::string text(65536, '\0');
  const ssize_t size = read(ends[0], text.data(), text.size());
  close(ends[0]);
  text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return text;
}

TEST_CASE("a JSON log line holds time, level, message and typed fields") {
  set_up_log(LogLevel::info, LogFormat::json);
  const std::string line = stderr_of([] {
    log(LogLevel::warn, "listening",
        {{"address", std::string_view("0.0.0.0:80")},
         {"workers", std::int64_t{-2}},
         {"share", 0.5},
         {"ready", true},
         {"bad", std::numeric_limits<double>::infinity()}});
  });
  const std::regex expected(
      R"re(\{"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","level":"warn","message":"listening",)re"
      R"re("address":"0\.0\.0\.0:80","workers":-2,"share":0\.5,"ready":true,"bad":null\}\n)re");
  INFO(line);
  CHECK(std::regex_match(line, expected));
}

TEST_CASE("a text log line is time, level, message and key=value pairs") {
  set_up_log(LogLevel::info, LogFormat::text);
  const std::string line = stderr_of([] {
    log(LogLevel::info, "config reloaded",
        {{"file", std::string_view("a b")}, {"policies", std::int64_t{3}}});
  });
  const std::regex expected(
      R"re(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info config reloaded file="a b" policies=3\n)re");
  INFO(line);
  CHECK(std::regex_match(line, expected));
}

TEST_CASE("no value makes a second line or a second field") {
  const std::string_view evil = "x\",\"admin\":true}\n{\"level\":\"error\" admin=true\r";
  for (const LogFormat format : {LogFormat::json, LogFormat::text}) {
    set_up_log(LogLevel::info, format);
    const std::string line = stderr_of([&] { log(LogLevel::info, evil, {{"value", evil}}); });
    CHECK(std::count(line.begin(), line.end(), '\n') == 1);
    CHECK(line.find('\r') == std::string::npos);
    CHECK(line.find(R"(x\",\"admin\":true}\n{)") != std::string::npos);
  }
  set_up_log(LogLevel::info, LogFormat::json);
}

TEST_CASE("lines below the level are not written, and braces are no format") {
  set_up_log(LogLevel::warn, LogFormat::json);
  CHECK(stderr_of([] { log(LogLevel::info, "quiet"); }).empty());
  set_log_level(LogLevel::debug);
  CHECK(stderr_of([] { log(LogLevel::trace, "quiet"); }).empty());
  CHECK(stderr_of([] { log(LogLevel::debug, "{} {0} %v"); }).find("{} {0} %v") !=
        std::string::npos);
  set_log_level(LogLevel::info);
}

}  // namespace
}  // namespace onceproxy::telemetry
