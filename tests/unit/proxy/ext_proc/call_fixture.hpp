// What the tests of a call share: an Envoy that the test speaks for, and the gate's fixture behind.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <coroutine>
#include <cstdint>
#include <deque>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fake_envoy.hpp"
#include "gate_fixture.hpp"
#include "proxy/ext_proc/call.hpp"

namespace onceproxy::ext_proc::testing {

using namespace std::chrono_literals;

/// A loop whose timers expire when the test says so.
class TestLoop final : public store::Loop {
 public:
  void deliver(store::CallBase* first) noexcept override {
    while (first != nullptr) {
      store::CallBase& call = *std::exchange(first, first->next);
      call.resume(call);
    }
  }
  std::unique_ptr<store::Timer> timer(std::chrono::milliseconds,
                                      std::function<void()> expired) override {
    return std::make_unique<TestTimer>(*this, std::move(expired));
  }
  void expire() {
    if (timer_ != nullptr) std::exchange(timer_, nullptr)->expired();
  }

 private:
  struct TestTimer final : store::Timer {
    TestTimer(TestLoop& of, std::function<void()> what) : loop(of), expired(std::move(what)) {
      loop.timer_ = this;
    }
    ~TestTimer() override {
      if (loop.timer_ == this) loop.timer_ = nullptr;
    }
    TestLoop& loop;
    std::function<void()> expired;
  };
  TestTimer* timer_ = nullptr;
};

using Fields = std::initializer_list<std::pair<std::string, std::string>>;

inline void fill(HeaderMap& map, Fields fields) {
  for (const auto& [name, value] : fields) {
    HeaderValue& field = *map.add_headers();
    field.set_key(name);
    field.set_raw_value(value);
  }
}

/// What the last reply sets a field to; empty: nothing.
inline std::string set_to(const HeaderMutation& changes, std::string_view name) {
  std::string value;
  for (const HeaderValueOption& option : changes.set_headers()) {
    if (option.header().key() == name) value = option.header().raw_value();
  }
  return value;
}

inline bool removes(const HeaderMutation& changes, std::string_view name) {
  for (const std::string& removed : changes.remove_headers()) {
    if (removed == name) return true;
  }
  return false;
}

struct Fixture : gate::testing::Fixture {
  TestLoop test_loop;
  gate::Gate call_gate{store, test_loop, clock, worker};
  http::HttpDate date;
  /// Outlives the thread that writes the access log.
  struct Nowhere {
    const int descriptor = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    ~Nowhere() { ::close(descriptor); }
  } nowhere;
  telemetry::AccessLog::Options log_options{[this] {
    telemetry::AccessLog::Options options;
    options.descriptor = nowhere.descriptor;
    return options;
  }()};
  telemetry::AccessLog access_log{log_options, [](std::uint64_t) {}};
  http::RequestReports reports{worker, access_log.add_writer(), nullptr, nullptr};
  http::NearMisses near_misses{worker};
  AnswersKept answers;
  Arenas arenas;
  http::Options options;
  FakeEnvoy envoy;
  std::unique_ptr<Call> call;
  bool over = false;

  Fixture() {
    policy.match = policies::test::path_match("/pay");
    policy.match.methods = {"POST"};
  }
  ~Fixture() {
    // Nothing is left under way.
    store.at_once = true;
    if (store.somebody_waits()) store.answer_now();
    if (call && !over) envoy.reset();
  }

  static io::Task<void> serve(Call& call, bool& over) {
    co_await call.run();
    over = true;
  }

  void begin() {
    rule();
    std::shared_ptr<const gate::Rules> shared(rules.get(), [](const gate::Rules*) {});
    http::GuardedFields guarded(shared->policies().policies());
    auto setup = std::make_shared<const http::Setup>(
        http::Setup{options, shared, "service", std::move(guarded)});
    const Call::Parts parts{call_gate,   test_loop, date,   reports, worker,
                            near_misses, answers,   arenas, nullptr};
    call = std::make_unique<Call>(parts, setup, envoy);
    io::start(serve(*call, over));
  }

  ProcessingRequest request_head(bool end_of_stream, Fields more = {}) {
    ProcessingRequest message;
    HttpHeaders& head = *message.mutable_request_headers();
    head.set_end_of_stream(end_of_stream);
    fill(*head.mutable_headers(), {{":method", "POST"},
                                   {":path", "/pay?x=1"},
                                   {":authority", "service.example"},
                                   {":scheme", "http"},
                                   {"idempotency-key", "k-1"},
                                   {"x-request-id", "r-1"}});
    fill(*head.mutable_headers(), more);
    return message;
  }
  static ProcessingRequest request_body(std::string body, bool end_of_stream = true) {
    ProcessingRequest message;
    message.mutable_request_body()->set_body(std::move(body));
    message.mutable_request_body()->set_end_of_stream(end_of_stream);
    return message;
  }
  static AttributeValue& attribute(AttributesEntry& told, const std::string& name) {
    AttributeEntry& entry = *told.mutable_value()->add_fields();
    entry.set_key(name);
    return *entry.mutable_value();
  }
  static ProcessingRequest response_head(const std::string& status, bool end_of_stream = false,
                                         const std::string& details = "via_upstream",
                                         double attempts = 1, Fields more = {}) {
    ProcessingRequest message;
    HttpHeaders& head = *message.mutable_response_headers();
    head.set_end_of_stream(end_of_stream);
    fill(*head.mutable_headers(), {{":status", status}, {"content-type", "text/plain"}});
    fill(*head.mutable_headers(), more);
    AttributesEntry& told = *message.add_attributes();
    told.set_key("envoy.filters.http.ext_proc");
    attribute(told, "response.code_details").set_string_value(details);
    attribute(told, "upstream.request_attempt_count").set_number_value(attempts);
    return message;
  }
  static ProcessingRequest response_body(std::string body, bool end_of_stream) {
    ProcessingRequest message;
    message.mutable_response_body()->set_body(std::move(body));
    message.mutable_response_body()->set_end_of_stream(end_of_stream);
    return message;
  }

  /// The request, let through with a reservation.
  void forward() {
    begin();
    envoy.tell(request_head(false));
    envoy.tell(request_body("{}"));
    REQUIRE(envoy.said.size() == 2);
    REQUIRE(envoy.said[1].has_request_body());
  }
  const ProcessingResponse& last() {
    REQUIRE_FALSE(envoy.said.empty());
    return envoy.said.back();
  }
  const ImmediateResponse& immediate() {
    REQUIRE(last().has_immediate_response());
    return last().immediate_response();
  }
  std::string last_verb() { return store.asked.empty() ? "" : store.asked.back().verb; }
  double value(const std::string& sample) {
    return telemetry::Exposition(metrics.exposition()).at(sample).value_or(0);
  }
  double requests(const std::string& decision) {
    return value("onceproxy_requests_total{policy=\"dispatch\",decision=\"" + decision + "\"}");
  }
  /// Requests that no policy covers.
  double uncovered(const std::string& decision) {
    return value("onceproxy_requests_total{policy=\"\",decision=\"" + decision + "\"}");
  }
  double refused(const std::string& reason) {
    return value("onceproxy_bad_requests_total{reason=\"" + reason + "\"}");
  }
};

}  // namespace onceproxy::ext_proc::testing
