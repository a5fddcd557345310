#include "proxy/telemetry/colour.hpp"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <optional>
#include <string>

namespace onceproxy::telemetry {
namespace {

/// Both ends of a pseudo-terminal.
class Terminal {
 public:
  Terminal() : main_(posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    REQUIRE(grantpt(main_) == 0);
    REQUIRE(unlockpt(main_) == 0);
    side_ = open(ptsname(main_), O_RDWR | O_NOCTTY | O_CLOEXEC);
    REQUIRE(side_ >= 0);
  }
  ~Terminal() {
    close(side_);
    close(main_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  int descriptor() const { return side_; }

 private:
  int main_;
  int side_;
};

/// A variable of the environment, until the test's end.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) {
    if (const char* before = getenv(name)) before_ = before;
    value == nullptr ? unsetenv(name) : setenv(name, value, 1);
  }
  ~Variable() { before_ ? setenv(name_, before_->c_str(), 1) : unsetenv(name_); }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;

 private:
  const char* name_;
  std::optional<std::string> before_;
};

TEST_CASE("text has colours on a terminal and nowhere else") {
  const Variable term("TERM", "xterm");
  const Variable no_color("NO_COLOR", nullptr);
  const Terminal terminal;
  CHECK(format_for(LogFormat::text, terminal.descriptor()) == LogFormat::coloured_text);
  CHECK(format_for(LogFormat::json, terminal.descriptor()) == LogFormat::json);
  int pipe[2];
  REQUIRE(pipe2(pipe, O_CLOEXEC) == 0);
  CHECK(format_for(LogFormat::text, pipe[1]) == LogFormat::text);
  close(pipe[0]);
  close(pipe[1]);
  CHECK(format_for(LogFormat::text, -1) == LogFormat::text);
}

TEST_CASE("colours can be disabled") {
  const Terminal terminal;
  const Variable term("TERM", "xterm");
  {
    const Variable no_color("NO_COLOR", "1");
    CHECK(format_for(LogFormat::text, terminal.descriptor()) == LogFormat::text);
  }
  const Variable empty("NO_COLOR", "");
  CHECK(format_for(LogFormat::text, terminal.descriptor()) == LogFormat::coloured_text);
  const Variable dumb("TERM", "dumb");
  CHECK(format_for(LogFormat::text, terminal.descriptor()) == LogFormat::text);
}

TEST_CASE("a failure is red, a refusal yellow, a duplicate that was stopped cyan") {
  CHECK(colour_of(LogLevel::error) == colour::red);
  CHECK(colour_of(LogLevel::warn) == colour::yellow);
  CHECK(colour_of(gate::Decision::forwarded) == colour::green);
  CHECK(colour_of(gate::Decision::replayed) == colour::cyan);
  CHECK(colour_of(gate::Decision::mismatch) == colour::yellow);
  CHECK(colour_of(gate::Decision::upstream_error) == colour::red);
}

}  // namespace
}  // namespace onceproxy::telemetry
