// What the gate's tests share: a gate on a store that answers what a test tells it to, with one
// policy whose key is the client's.
#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../../policies/request.hpp"
#include "../telemetry/exposition_text.hpp"
#include "fake_store.hpp"
#include "proxy/gate/gate.hpp"

namespace onceproxy::gate::testing {

using namespace std::chrono_literals;
using policies::Policy;
using policies::Source;

class ManualClock final : public store::Clock {
 public:
  store::WallTime now() const override { return store::WallTime(1'000'000s); }
};

inline Policy client_key_policy() {
  Policy policy;
  policy.name = policy.name_space = "dispatch";
  policy.fingerprint = {policies::test::selector(Source::client_key, "Idempotency-Key")};
  policy.payload = {policies::test::selector(Source::content)};
  policy.terms.lease = 11s;
  policy.outcome.release.add_class(5);
  policy.outcome.release.add(429);
  policy.outcome.ambiguous.add(502);
  return policy;
}

inline io::Task<void> run_admit(Gate& gate, const Rules& rules, const Policy& policy,
                                const policies::RequestView& request, policies::Document& body,
                                std::optional<std::string_view> raw,
                                std::optional<Admission>& out) {
  const Asking asking{"r-1", "trace-1", "here", 77, raw, "Fri, 27 Nov 2026 21:00:00 GMT"};
  Admission admission = co_await gate.admit(rules, policy, request, body, asking);
  out.emplace(std::move(admission));
}

inline io::Task<void> run_settle(Gate& gate, const Rules& rules, Forward forward,
                                 const Outcome& outcome, std::optional<Settlement>& out) {
  Settlement settlement = co_await gate.settle(rules, std::move(forward), outcome);
  out.emplace(std::move(settlement));
}

struct Fixture {
  FakeStore store;
  DirectLoop loop;
  ManualClock clock;
  telemetry::Metrics metrics{"test"};
  telemetry::WorkerMetrics& worker = metrics.add_worker();
  Gate gate{store, loop, clock, worker};
  /// The one that admits.
  Gate* asked_gate = &gate;
  Policy policy = client_key_policy();
  std::unique_ptr<Rules> rules;
  policies::test::Request request;
  /// False: the front has no body to store.
  bool body_is_given = true;
  std::optional<Admission> admission;
  std::optional<Settlement> settlement;

  Fixture() {
    request.headers = {{"Idempotency-Key", "k-1"}};
    request.body = "{}";
  }

  const Policy& rule() {
    if (!rules) rules = std::make_unique<Rules>(std::vector<Policy>{policy}, metrics);
    return rules->policies().policies().front();
  }

  /// The admission, which must come at once unless the store keeps it waiting.
  Admission& admit() {
    const Policy& rule = this->rule();
    const policies::RequestView view = request.view();
    policies::Document document(view, request.body, 1000);
    admission.reset();
    std::optional<std::string_view> raw;
    if (body_is_given) raw = request.body;
    start(run_admit(*asked_gate, *rules, rule, view, document, raw, admission));
    if (store.somebody_waits()) {
      CHECK_FALSE(admission);
      store.answer_now();
    }
    REQUIRE(admission);
    return *admission;
  }

  Admission& admit(store::ReserveResult result) {
    store.result.emplace(std::move(result));
    return admit();
  }

  Reply& reply() {
    REQUIRE(admission);
    REQUIRE(std::holds_alternative<Reply>(admission->verdict));
    return std::get<Reply>(admission->verdict);
  }

  bool passes() { return std::holds_alternative<PassThrough>(admission->verdict); }

  Settlement& settle(const Outcome& outcome) {
    const Policy& rule = this->rule();
    settlement.reset();
    worker.reservation(rules->id(rule), +1);
    Forward forward{store.permit({}), &rule};
    start(run_settle(gate, *rules, std::move(forward), outcome, settlement));
    if (store.somebody_waits()) {
      CHECK_FALSE(settlement);
      store.answer_now();
    }
    REQUIRE(settlement);
    CHECK(store.permits_dropped == 0);
    CHECK(count("onceproxy_reservations_active") == 0);
    return *settlement;
  }

  Settlement& settle_status(int status) {
    const policies::Field fields[] = {{"Date", "x"}};
    return settle(Answered{status, fields, "body", true});
  }

  double count(const std::string& name, const std::string& labels = "") {
    const telemetry::Exposition exposition(metrics.exposition());
    return exposition.at(name + "{policy=\"dispatch\"" + labels + "}").value_or(0);
  }
};

}  // namespace onceproxy::gate::testing
