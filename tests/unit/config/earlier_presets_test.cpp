// A redelivery that comes after an upgrade must find the record of the first one.
#include <catch2/catch.hpp>

#include "../policies/message_file.hpp"
#include "config/presets.hpp"
#include "earlier_deliveries.hpp"
#include "loading.hpp"
#include "policies/earlier.hpp"

namespace onceproxy::config {
namespace {

policies::Policy preset(const std::string& name, const std::string& lines = "") {
  // The policies of the examples are named like their presets.
  Settings settings = loaded("policies:\n- name: " + name + "\n  preset: " + name + "\n" + lines);
  return std::move(settings.policies.at(0));
}

/// The fingerprint that a request had, or has where that is the same.
std::string earlier_fingerprint(const policies::Policy& policy, policies::test::Request request) {
  const policies::RequestView view = request.view();
  policies::Document body(view, request.body, 1 << 20);
  const auto operation = policies::select_operation(policy, view, body);
  REQUIRE(operation);
  const auto earlier = policies::earlier_digests(policy, *operation, view, body);
  return earlier ? earlier->fingerprint.hex() : operation->fingerprint.hex();
}

TEST_CASE(
    "A delivery of every preset is still found under what version 1 of the digests called it") {
  for (const EarlierDelivery& delivery : earlier_deliveries) {
    CAPTURE(delivery.preset, delivery.message);
    CHECK(earlier_fingerprint(preset(delivery.preset), policies::test::message(delivery.message)) ==
          delivery.fingerprint);
  }
}

TEST_CASE("Every preset's earlier keys can be read, and a policy's own keys stand for themselves") {
  for (const std::string& name : preset_names()) {
    CAPTURE(name);
    // Those of calls replay, and need it.
    const bool call = name == "json-rpc" || name == "mcp";
    const auto whole = preset(name, call ? "  scope: shared\n" : "");
    CHECK((whole.earlier == nullptr) == earlier_preset_keys(name).empty());
    const auto policy = preset(name, "  fingerprint: [{header: a}]\n  scope: [{header: b}]\n");
    if (!policy.earlier) continue;
    CHECK(policy.earlier->fingerprint.at(0).text == "header: a");
    CHECK(policy.earlier->scope.at(0).text == "header: b");
  }
  CHECK(earlier_preset_keys("jenkins").empty());
}

}  // namespace
}  // namespace onceproxy::config
