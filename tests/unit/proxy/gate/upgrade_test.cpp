// Redeliveries that come after an upgrade, to the gate on a real store: a delivery that was
// recorded before must not run again, of no preset.
#include <catch2/catch.hpp>

#include "../../config/earlier_deliveries.hpp"
#include "../../policies/message_file.hpp"
#include "../../store/rocksdb/earlier_version.hpp"
#include "config/load.hpp"
#include "config/presets.hpp"
#include "policies/earlier.hpp"
#include "policies/share.hpp"
#include "proxy/gate/gate.hpp"
#include "proxy/gate/rules.hpp"

namespace onceproxy::gate {
namespace {

using namespace std::chrono_literals;
using policies::Policy;
using store::Fingerprint;

Policy read_policy(const std::string& lines) {
  const auto settings =
      config::load("listen: 127.0.0.1:0\nupstream: {address: 127.0.0.1:1}\npolicies:\n" + lines,
                   "f.yaml", [](const std::string&) { return std::nullopt; });
  REQUIRE(settings);
  return settings->policies.at(0);
}

io::Task<void> run_admit(Gate& gate, const Rules& rules, const policies::RequestView& request,
                         policies::Document& body, std::optional<Admission>& out) {
  const Asking asking{"r-1"};
  const Policy& policy = rules.policies().policies().front();
  Admission admission = co_await gate.admit(rules, policy, request, body, asking);
  out.emplace(std::move(admission));
}

/// A gate on a store with digests of version 1.
class Upgraded : public store::testing::Fixture {
 public:
  /// Completes the operation of that name, as the earlier version does; then comes the upgrade.
  void upgrade_with(const Fingerprint& fingerprint,
                    std::optional<store::PayloadDigest> payload = std::nullopt) {
    open();
    store::ReserveRequest request;
    request.fingerprint = fingerprint;
    request.payload = payload;
    request.terms.window = 1h;
    REQUIRE(complete(permit(request), store::testing::answer(200, "first")) ==
            store::Settled::done);
    store::testing::leave_as_version_one(*this);
    open();
  }

  /// What the policy decides about the request; "forwarded" leaves a reservation behind.
  Decision decide(const Policy& policy, policies::test::Request request) {
    const Rules rules({policy}, metrics_);
    Gate gate(*store, loop_, clock, worker_);
    const policies::RequestView view = request.view();
    policies::Document document(view, request.body, 1 << 20);
    std::optional<Admission> admission;
    start(run_admit(gate, rules, view, document, admission));
    REQUIRE(loop_.run_until([&] { return admission.has_value(); }));
    if (auto* const forward = std::get_if<Forward>(&admission->verdict)) {
      forward->permit.use();
      return Decision::forwarded;
    }
    const auto* const reply = std::get_if<Reply>(&admission->verdict);
    return reply != nullptr ? reply->decision : Decision::passed;
  }

 private:
  store::testing::HandLoop loop_;
  telemetry::Metrics metrics_{"test"};
  telemetry::WorkerMetrics& worker_ = metrics_.add_worker();
};

TEST_CASE("a delivery that was recorded before an upgrade does not run again, of no preset") {
  std::vector<std::string> covered;
  for (const auto& [name, message, fingerprint] : config::earlier_deliveries) {
    CAPTURE(name, message);
    const Policy policy = read_policy("- {name: " + name + ", preset: " + name + ", window: 1h}\n");
    const auto delivery = policies::test::message(message);
    Upgraded upgraded;
    upgraded.upgrade_with(Fingerprint::from_hex(fingerprint).value());
    CHECK(upgraded.decide(policy, delivery) == Decision::suppressed);
    CHECK(upgraded.decide(policy, delivery) == Decision::suppressed);
    upgraded.clock.advance(1h + 1ms);
    CHECK(upgraded.decide(policy, delivery) == Decision::forwarded);
    covered.push_back(name);
  }
  for (const char* const name :
       {"alertmanager", "cloudevents", "github", "stripe", "svix", "sns"}) {
    CHECK(std::ranges::find(covered, name) != covered.end());
  }
}

TEST_CASE("an upload that was recorded before an upgrade is answered by its earlier payload") {
  const Policy policy =
      read_policy("- {name: uploads, fingerprint: client_key, scope: shared, window: 1h}\n");
  policies::test::Request upload;
  upload.target = "/files";
  upload.headers = {{"Idempotency-Key", "k1"}, {"Content-Type", "multipart/form-data; boundary=X"}};
  upload.body = "--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--X--\r\n";
  const policies::RequestView view = upload.view();
  policies::Document document(view, upload.body, 1 << 20);
  const auto operation = policies::select_operation(policy, view, document);
  REQUIRE(operation);
  const auto earlier = policies::earlier_digests(policy, *operation, view, document);
  REQUIRE(earlier);
  Upgraded upgraded;
  upgraded.upgrade_with(earlier->fingerprint, earlier->payload);
  CHECK(upgraded.decide(policy, upload) == Decision::replayed);
  // What was compared then was the bytes.
  policies::test::Request other = upload;
  other.body.replace(other.body.find("\r\n1\r\n"), 5, "\r\n2\r\n");
  CHECK(upgraded.decide(policy, other) == Decision::mismatch);
}

TEST_CASE("an operation is looked for under its earlier name for no longer than it may live") {
  Policy policy = read_policy(
      "- {name: p, fingerprint: [{content: true}], scope: shared, window: 1h, lease: 30s}\n");
  policies::test::Request text;
  text.headers = {{"Content-Type", "text/plain"}};
  text.body = "1.10";
  const policies::RequestView view = text.view();
  policies::Document document(view, text.body, 1 << 20);
  const auto operation = policies::select_operation(policy, view, document);
  const auto earlier = policies::earlier_digests(policy, operation.value(), view, document);
  Upgraded upgraded;
  upgraded.upgrade_with(earlier.value().fingerprint);
  CHECK(upgraded.decide(policy, text) == Decision::replayed);
  // With a share of fingerprints both names count, so that nothing that was protected runs again.
  for (int percent = 1; percent < 100; ++percent) {
    policy.enforcement.percent = percent;
    const Decision decision = upgraded.decide(policy, text);
    const bool inside = policies::in_share(earlier->fingerprint, percent) ||
                        policies::in_share(operation->fingerprint, percent);
    CHECK(decision == (inside ? Decision::replayed : Decision::passed));
  }
}

}  // namespace
}  // namespace onceproxy::gate
