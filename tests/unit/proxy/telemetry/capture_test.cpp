#include "proxy/telemetry/capture.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "../../eventually.hpp"
#include "proxy/telemetry/capture_line.hpp"

namespace onceproxy::telemetry {
namespace {

namespace fs = std::filesystem;

std::string hidden(std::string_view) {
  return "redacted-0";
}

CapturedRequest order() {
  CapturedRequest request;
  request.time = std::chrono::sys_days(std::chrono::year{2026} / 1 / 2);
  request.method = "POST";
  request.target = "/orders?x=1";
  request.headers = {{"Idempotency-Key", "k1"}};
  request.body = R"({"item":"tea"})";
  request.body_bytes = 14;
  request.status = 201;
  request.duration = std::chrono::microseconds(12500);
  request.response_bytes = 7;
  request.policy = "orders";
  request.decision = gate::Decision::forwarded;
  return request;
}

std::string line_of(const CapturedRequest& request, CaptureOptions options = {}) {
  Timestamp timestamp;
  return capture_line(request, options, hidden, timestamp);
}

class Directory {
 public:
  Directory() : path_(fs::temp_directory_path() / ("capture-" + std::to_string(::getpid()))) {
    fs::create_directories(path_);
  }
  ~Directory() { fs::remove_all(path_); }
  std::string file(const std::string& name) const { return path_ / name; }

 private:
  const fs::path path_;
};

std::string text_of(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

struct Counts {
  std::atomic<std::uint64_t> written = 0;
  std::atomic<std::uint64_t> full = 0;

  Capture::Hooks hooks() {
    return {hidden, [this](std::uint64_t lines) { written += lines; },
            [this](CaptureLoss why, std::uint64_t lines) {
              if (why == CaptureLoss::full) full += lines;
            }};
  }
};

}  // namespace

TEST_CASE("a line of a capture is one that backtest reads") {
  CHECK(line_of(order()) ==
        R"({"time":"2026-01-02T00:00:00.000Z","method":"POST","target":"/orders?x=1",)"
        R"("headers":[["Idempotency-Key","k1"]],"body":"{\"item\":\"tea\"}","status":201,)"
        R"("response_bytes":7,"duration_ms":12.500,"policy":"orders","decision":"forwarded"})"
        "\n");
}

TEST_CASE("bytes that are no text, and what is encoded, go as base64") {
  CapturedRequest request = order();
  request.body = std::string_view("\xff\x00", 2);
  CHECK(line_of(request).find(R"("body_base64":"/wA=")") != std::string::npos);
  request.body = "abc";
  CHECK(line_of(request).find(R"("body":"abc")") != std::string::npos);
  request.headers.emplace_back("content-encoding", "gzip");
  CHECK(line_of(request).find(R"("body_base64":"YWJj")") != std::string::npos);
}

TEST_CASE("a body that was not kept is told by its size, an answer that is not the service's not") {
  CapturedRequest request = order();
  request.body.reset();
  request.status.reset();
  request.sent = false;
  const std::string line = line_of(request);
  CHECK(line.find(R"("body_bytes":14)") != std::string::npos);
  CHECK(line.find("status") == std::string::npos);
  CHECK(line.find(R"("sent":false)") != std::string::npos);
}

TEST_CASE("the values of redacted fields are replaced, whatever the case of their names") {
  CapturedRequest request = order();
  request.headers = {{"AUTHORIZATION", "s3cret"}, {"x", "y"}};
  CaptureOptions options;
  options.redact = {"authorization"};
  CHECK(line_of(request, options).find(R"("headers":[["AUTHORIZATION","redacted-0"],["x","y"]])") !=
        std::string::npos);
}

TEST_CASE("a share takes about that many operations, each always or never") {
  int inside = 0;
  for (int i = 0; i < 10'000; ++i) {
    const std::string target = "/" + std::to_string(i * 7919);
    CapturedRequest request = order();
    request.target = target;
    const bool in = in_sample(request, 0.25);
    CHECK(in_sample(request, 0.25) == in);
    CHECK((!in || in_sample(request, 0.5)));
    inside += in ? 1 : 0;
  }
  CHECK(inside > 2'200);
  CHECK(inside < 2'800);
  CHECK_FALSE(in_sample(order(), 0));
}

TEST_CASE("a capture ends at its size, and begins anew when its file is moved away") {
  const Directory directory;
  const std::string path = directory.file("a.jsonl");
  const std::size_t size = line_of(order()).size();
  CaptureOptions options;
  options.path = path;
  options.bytes_max = 2 * size;
  Counts counts;
  {
    Capture capture(counts.hooks());
    capture.configure(options);
    CHECK(capture.on());
    for (int i = 0; i < 3; ++i) capture.write(order());
    REQUIRE(onceproxy::testing::eventually([&] { return counts.written + counts.full == 3; }));
    CHECK(counts.full == 1);
    fs::rename(path, directory.file("b.jsonl"));
    capture.write(order());
    REQUIRE(onceproxy::testing::eventually([&] { return counts.written == 3; }));
    struct stat status {};
    REQUIRE(::stat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
  }
  CHECK(text_of(path) == line_of(order()));
  CHECK(text_of(directory.file("b.jsonl")) == line_of(order()) + line_of(order()));
}

TEST_CASE("a capture can be ended, and its end writes what is queued") {
  const Directory directory;
  CaptureOptions options;
  options.path = directory.file("a.jsonl");
  Counts counts;
  Capture capture(counts.hooks());
  CHECK_FALSE(capture.on());
  capture.configure(options);
  for (int i = 0; i < 100; ++i) capture.write(order());
  capture.configure(std::nullopt);
  CHECK_FALSE(capture.on());
  CHECK(counts.written == 100);
  capture.write(order());
  CHECK(counts.written == 100);
  options.path = "/nowhere/a.jsonl";
  CHECK_THROWS_AS(capture.configure(options), std::system_error);
  CHECK_FALSE(capture.on());
}

}  // namespace onceproxy::telemetry
