#include "proxy/telemetry/access_log.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <regex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace onceproxy::telemetry {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

class Pipe {
 public:
  explicit Pipe(int flags = O_CLOEXEC) { REQUIRE(pipe2(ends_, flags) == 0); }
  ~Pipe() {
    close_reader();
    close_writer();
  }
  int writer() const { return ends_[1]; }
  void close_reader() { close_end(0); }
  void close_writer() { close_end(1); }
  /// To the end of what was written; closes the writing end first.
  std::string read_all() {
    close_writer();
    return read_until([](const std::string&) { return false; });
  }
  template <typename Enough>
  std::string read_until(Enough enough) {
    std::string text;
    char buffer[4096];
    while (!enough(text)) {
      const ssize_t size = read(ends_[0], buffer, sizeof buffer);
      if (size <= 0) break;
      text.append(buffer, static_cast<std::size_t>(size));
    }
    return text;
  }

 private:
  void close_end(int end) {
    if (ends_[end] >= 0) close(ends_[end]);
    ends_[end] = -1;
  }
  int ends_[2];
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

AccessLog::Options to(int descriptor, LogFormat format = LogFormat::json) {
  AccessLog::Options options;
  options.descriptor = descriptor;
  options.format = format;
  return options;
}

AccessRecord full_record() {
  AccessRecord record;
  record.request_id = "4bf92f35";
  record.trace_id = "00aa";
  record.client = "10.1.2.3:41000";
  record.method = "POST";
  record.path = "/v1/rides/7/dispatch";
  record.policy = "dispatch";
  record.decision = gate::Decision::in_flight;
  record.fingerprint = "00ff";
  record.status = 409;
  record.request_bytes = 512;
  record.response_bytes = 0;
  record.duration = 1'234'567ns;
  record.upstream_duration = 42us;
  record.error = "turn not reached";
  return record;
}

/// One record through a log, and what came out.
std::string written(const AccessRecord& record, LogFormat format = LogFormat::json) {
  Pipe pipe;
  {
    AccessLog log(to(pipe.writer(), format), [](std::uint64_t) {});
    log.add_writer()->write(record);
  }
  return pipe.read_all();
}

/// Without its time, which is checked to be one.
std::string without_time(const std::string& line) {
  static const std::regex time(R"re(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)re");
  CHECK(std::regex_search(line, time));
  return std::regex_replace(line, time, "T");
}

std::string without_colours(const std::string& line) {
  static const std::regex colours("\x1b\\[[0-9]*m");
  return std::regex_replace(line, colours, "");
}

TEST_CASE("a JSON line holds every field under its name") {
  CHECK(
      without_time(written(full_record())) ==
      R"({"time":"T","request_id":"4bf92f35","trace_id":"00aa",)"
      R"("client":"10.1.2.3:41000","method":"POST","path":"/v1/rides/7/dispatch",)"
      R"("policy":"dispatch","decision":"in-flight","fingerprint":"00ff","status":409,"request_bytes":512,"response_bytes":0,)"
      R"("duration_ms":1.234,"upstream_ms":0.042,"error":"turn not reached"})"
      "\n");
}

TEST_CASE("a text line holds the same as key=value") {
  CHECK(without_time(written(full_record(), LogFormat::text)) ==
        "T request_id=4bf92f35 trace_id=00aa client=10.1.2.3:41000 method=POST "
        "path=/v1/rides/7/dispatch "
        "policy=dispatch decision=in-flight fingerprint=00ff status=409 request_bytes=512 "
        "response_bytes=0 duration_ms=1.234 upstream_ms=0.042 error=\"turn not reached\"\n");
}

TEST_CASE("in colours the line says the same, and the decision stands out") {
  const std::string coloured = written(full_record(), LogFormat::coloured_text);
  CHECK(coloured.find("\x1b[2mdecision\x1b[0m=\x1b[33min-flight\x1b[0m ") != std::string::npos);
  CHECK(without_time(without_colours(coloured)) ==
        without_time(written(full_record(), LogFormat::text)));
}

TEST_CASE("text has no colours where nobody looks") {
  CHECK(written(full_record(), LogFormat::text).find('\x1b') == std::string::npos);
}

TEST_CASE("unknown fields are left out of a line") {
  AccessRecord record;
  record.duration = 5us;
  CHECK(without_time(written(record)) ==
        "{\"time\":\"T\",\"decision\":\"passed\",\"duration_ms\":0.005}\n");
}

TEST_CASE("a line is one line whatever bytes a client sends") {
  std::string every_byte;
  for (int c = 0; c < 256; ++c) every_byte += static_cast<char>(c);
  every_byte += "\xe2\x80\xa8\xc2\x85\",\"decision\":\"passed\"}\n{\"";
  AccessRecord record = full_record();
  record.method = every_byte;
  record.path = every_byte;
  for (const LogFormat format : {LogFormat::json, LogFormat::text, LogFormat::coloured_text}) {
    const std::string text = without_colours(written(record, format));
    CHECK(std::count(text.begin(), text.end(), '\n') == 1);
    CHECK(text.back() == '\n');
    CHECK(std::none_of(text.begin(), text.end() - 1,
                       [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }));
    CHECK(text.find("\xe2\x80\xa8") == std::string::npos);
    CHECK(text.find("\xc2\x85") == std::string::npos);
    CHECK(text.find(R"(\",\"decision\":\"passed\"}\n{\")") != std::string::npos);
  }
}

TEST_CASE("the level decides which decisions are logged") {
  Pipe pipe;
  {
    AccessLog log(to(pipe.writer()), [](std::uint64_t) {});
    const auto writer = log.add_writer();
    const auto write = [&](std::string_view path, gate::Decision decision) {
      AccessRecord record;
      record.path = path;
      record.decision = decision;
      writer->write(record);
    };
    write("a", gate::Decision::forwarded);
    log.set_level(LogLevel::warn);
    write("b", gate::Decision::forwarded);
    for (const gate::Decision decision :
         {gate::Decision::upstream_error, gate::Decision::store_error, gate::Decision::busy,
          gate::Decision::bad_request})
      write("c", decision);
    log.set_level(LogLevel::error);
    write("d", gate::Decision::bad_request);
  }
  const std::string text = pipe.read_all();
  CHECK(lines_of(text).size() == 5);
  CHECK(text.find("\"path\":\"a\"") != std::string::npos);
  CHECK(text.find("\"path\":\"b\"") == std::string::npos);
  CHECK(text.find("\"path\":\"d\"") == std::string::npos);
}

TEST_CASE("a flushed line is written without waiting for more") {
  Pipe pipe;
  AccessLog log(to(pipe.writer()), [](std::uint64_t) {});
  const auto writer = log.add_writer();
  writer->write(full_record());
  writer->flush();
  const std::string text =
      pipe.read_until([](const std::string& read) { return read.ends_with('\n'); });
  CHECK(lines_of(text).size() == 1);
}

TEST_CASE("lines of several workers arrive whole, in each worker's order, and none is lost") {
  constexpr int workers = 3, lines = 4000;
  // Non-blocking, as a process that shares the pipe may have made it.
  const int flags = GENERATE(0, O_NONBLOCK);
  Pipe pipe(O_CLOEXEC);
  if (flags != 0) fcntl(pipe.writer(), F_SETFL, flags);
  std::atomic<std::uint64_t> dropped{0};
  std::string text;
  {
    AccessLog log(to(pipe.writer()), [&](std::uint64_t count) { dropped += count; });
    std::vector<std::thread> threads;
    for (int w = 0; w < workers; ++w)
      threads.emplace_back([&log, w] {
        const auto writer = log.add_writer();
        for (int n = 0; n < lines; ++n) {
          AccessRecord record = full_record();
          const std::string id = std::to_string(w);
          record.request_id = id;
          record.request_bytes = n;
          writer->write(record);
        }
      });
    text = pipe.read_until([](const std::string& read) {
      return std::count(read.begin(), read.end(), '\n') == workers * lines;
    });
    for (std::thread& thread : threads) thread.join();
  }
  std::vector<int> next(workers, 0);
  for (const std::string& line : lines_of(text)) {
    const std::size_t id = line.find("\"request_id\":\"");
    const std::size_t number = line.find("\"request_bytes\":");
    REQUIRE(id != std::string::npos);
    REQUIRE(number != std::string::npos);
    REQUIRE(line.ends_with("\"error\":\"turn not reached\"}"));
    const auto worker = static_cast<std::size_t>(line[id + 14] - '0');
    REQUIRE(std::stoi(line.substr(number + 16)) == next[worker]++);
  }
  CHECK(next == std::vector<int>(workers, lines));
  CHECK(dropped == 0);
}

TEST_CASE("a reader that stopped reading holds up neither a worker nor the end") {
  Pipe pipe;
  std::atomic<std::uint64_t> dropped{0};
  constexpr std::uint64_t lines = 20'000;
  AccessLog::Options options = to(pipe.writer());
  options.queue_bytes_max = 256 * 1024;
  auto log = std::make_unique<AccessLog>(options, [&](std::uint64_t count) { dropped += count; });
  {
    const auto writer = log->add_writer();
    const auto begin = Clock::now();
    for (std::uint64_t i = 0; i < lines; ++i) writer->write(full_record());
    // Some 300 bytes a line fill pipe and queue many times; a blocked write would never return.
    CHECK(Clock::now() - begin < 5s);
  }
  CHECK(dropped > 0);
  const auto begin = Clock::now();
  log.reset();
  CHECK(Clock::now() - begin < 1500ms);
  const std::string text = pipe.read_all();
  std::uint64_t arrived = 0;
  for (const std::string& line : lines_of(text))
    if (line.find("\"dropped\":") == std::string::npos && line.ends_with("}")) ++arrived;
  CHECK(arrived + dropped == lines);
}

TEST_CASE("dropped lines are said in a line of their own once there is room") {
  Pipe pipe;
  std::atomic<std::uint64_t> dropped{0};
  AccessLog::Options options = to(pipe.writer());
  options.queue_bytes_max = 128 * 1024;
  std::uint64_t lines = 0;
  std::string text;
  {
    AccessLog log(options, [&](std::uint64_t count) { dropped += count; });
    const auto writer = log.add_writer();
    for (; dropped == 0; ++lines) writer->write(full_record());
    writer->flush();
    text = pipe.read_until([&](const std::string& read) {
      const auto all = std::count(read.begin(), read.end(), '\n');
      const bool said = read.find("\"dropped\":") != std::string::npos;
      return said && static_cast<std::uint64_t>(all - 1) + dropped == lines;
    });
  }
  text += pipe.read_all();
  static const std::regex said(
      R"re(\{"time":"[^"]*","dropped":(\d+),"error":"access log lines dropped"\})re");
  std::uint64_t sum = 0;
  for (const std::string& line : lines_of(text)) {
    CHECK(line.front() == '{');
    CHECK(line.back() == '}');
    std::smatch match;
    if (std::regex_match(line, match, said)) sum += std::stoull(match[1]);
  }
  CHECK(sum == dropped);
}

TEST_CASE("a closed stdout counts lines as dropped and ends at once") {
  // Not ignored: the log itself must not let the signal through.
  signal(SIGPIPE, SIG_DFL);
  Pipe pipe;
  pipe.close_reader();
  std::uint64_t dropped = 0;
  const auto begin = Clock::now();
  const clock_t cpu = clock();
  {
    AccessLog log(to(pipe.writer()), [&](std::uint64_t count) { dropped += count; });
    const auto writer = log.add_writer();
    for (int i = 0; i < 1000; ++i) writer->write(full_record());
  }
  CHECK(dropped == 1000);
  CHECK(Clock::now() - begin < 900ms);
  CHECK(static_cast<double>(clock() - cpu) / CLOCKS_PER_SEC < 0.9);
}

TEST_CASE("a descriptor that is not open counts lines as dropped") {
  std::uint64_t dropped = 0;
  {
    AccessLog log(to(1'000'000), [&](std::uint64_t count) { dropped += count; });
    log.add_writer()->write(full_record());
  }
  CHECK(dropped == 1);
}

TEST_CASE("a full disk drops lines, not the process") {
  const int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
  REQUIRE(full >= 0);
  std::uint64_t dropped = 0;
  {
    AccessLog log(to(full), [&](std::uint64_t count) { dropped += count; });
    const auto writer = log.add_writer();
    for (int i = 0; i < 3; ++i) {
      writer->write(full_record());
      writer->flush();
    }
  }
  close(full);
  CHECK(dropped == 3);
}

TEST_CASE("a socket as stdout is written to without blocking on it") {
  int ends[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  std::uint64_t dropped = 0;
  const auto begin = Clock::now();
  {
    AccessLog log(to(ends[1]), [&](std::uint64_t count) { dropped += count; });
    const auto writer = log.add_writer();
    for (int i = 0; i < 5000; ++i) writer->write(full_record());
  }
  CHECK(Clock::now() - begin < 3s);
  close(ends[1]);
  std::string text;
  char buffer[4096];
  for (ssize_t size; (size = read(ends[0], buffer, sizeof buffer)) > 0;)
    text.append(buffer, static_cast<std::size_t>(size));
  close(ends[0]);
  CHECK(static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n')) + dropped == 5000);
}

}  // namespace
}  // namespace onceproxy::telemetry
