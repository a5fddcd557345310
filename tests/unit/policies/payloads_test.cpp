// The selectors that the presets stand for, on requests as their senders make them.
#include <catch2/catch.hpp>

#include "message_file.hpp"
#include "policies/select.hpp"
#include "request.hpp"

using namespace onceproxy;
using namespace onceproxy::policies;
using test::Request;
using test::selector;

namespace {

Policy policy(std::vector<Selector> fingerprint) {
  Policy out;
  out.name = out.name_space = "p";
  out.fingerprint = std::move(fingerprint);
  return out;
}

/// The fingerprint; of no request where a field is missing.
std::string fingerprint(const Policy& policy, Request request) {
  const RequestView view = request.view();
  Document body(view, request.body, 1 << 20);
  const auto operation = select_operation(policy, view, body);
  return operation ? operation->fingerprint.hex() : "missing: " + operation.error().detail;
}

void check_same(const Policy& policy, const std::string& a, const std::string& b) {
  INFO(a << " and " << b);
  const std::string of_a = fingerprint(policy, test::message(a));
  CHECK(of_a.size() == 64);
  CHECK(of_a == fingerprint(policy, test::message(b)));
}

void check_other(const Policy& policy, const std::string& a, const std::string& b) {
  INFO(a << " and " << b);
  const std::string of_b = fingerprint(policy, test::message(b));
  CHECK(of_b.size() == 64);
  CHECK(fingerprint(policy, test::message(a)) != of_b);
}

Selector set(std::string pointer) {
  Selector out = selector(Source::body, std::move(pointer));
  out.sort = true;
  return out;
}

Selector either(Selector first, Selector then) {
  first.otherwise = std::make_shared<const Selector>(std::move(then));
  return first;
}

Selector header(std::string name) {
  return selector(Source::header, std::move(name));
}

Selector body(std::string pointer) {
  return selector(Source::body, std::move(pointer));
}

Policy alertmanager() {
  return policy({body("/receiver"), body("/groupKey"), body("/status"),
                 set("/alerts/*/fingerprint"), set("/alerts/*/status"), set("/alerts/*/startsAt")});
}

}  // namespace

TEST_CASE("an Alertmanager group is one from both replicas, in any order of its alerts") {
  check_same(alertmanager(), "alertmanager", "alertmanager-again");
  check_other(alertmanager(), "alertmanager", "alertmanager-other");
}

TEST_CASE("an alert that joins a group, or begins anew, makes it another operation") {
  Request first = test::message("alertmanager");
  const std::string before = fingerprint(alertmanager(), first);
  const auto with = [&](const std::string& from, const std::string& to) {
    Request changed = first;
    const std::size_t at = changed.body.find(from);
    REQUIRE(at != std::string::npos);
    changed.body.replace(at, from.size(), to);
    return fingerprint(alertmanager(), changed);
  };
  CHECK(with("4be9d3a27c1f5e60", "4be9d3a27c1f5e61") != before);
  CHECK(with("07:41:12.337Z", "09:41:12.337Z") != before);
  CHECK(with(R"("alerts":[)",
             R"("alerts":[{"fingerprint":"00","status":"firing","startsAt":"x"},)") != before);
  // Texts for people, and where they point, are not the alert.
  CHECK(with("has less than", "has much less than") == before);
  CHECK(with("alertmanager-0", "alertmanager-1") == before);
  // An alert without what names it must not vanish from the set.
  CHECK(with(R"("alerts":[)", R"("alerts":[{"status":"firing","startsAt":"x"},)") ==
        "missing: selector: /alerts/*/fingerprint");
}

TEST_CASE("a cloud event is one in binary and in structured mode, and as often as it is sent") {
  const Policy events =
      policy({either(header("ce-source"), body("/source")), either(header("ce-id"), body("/id"))});
  check_same(events, "cloudevents-binary", "cloudevents-binary-again");
  check_same(events, "cloudevents-structured", "cloudevents-structured-again");
  check_same(events, "cloudevents-binary", "cloudevents-structured");
  check_other(events, "cloudevents-binary", "cloudevents-binary-other");
  check_other(events, "cloudevents-structured", "cloudevents-structured-other");
}

TEST_CASE("a webhook's delivery is one however often it is signed") {
  const Policy github = policy({header("x-github-delivery")});
  check_same(github, "github", "github-again");
  check_other(github, "github", "github-other");
  const Policy stripe = policy({body("/id")});
  check_same(stripe, "stripe", "stripe-again");
  check_other(stripe, "stripe", "stripe-other");
  const Policy svix = policy({either(header("svix-id"), header("webhook-id"))});
  check_same(svix, "svix", "svix-again");
  check_same(svix, "svix", "svix-standard-again");
  check_other(svix, "svix", "svix-other");
  const Policy sns = policy({either(header("x-amz-sns-message-id"), body("/MessageId"))});
  check_same(sns, "sns", "sns-again");
  check_same(sns, "sns", "sns-bare-again");
  check_other(sns, "sns", "sns-other");
  check_other(sns, "sns", "sns-raw");
}

TEST_CASE("coordinates rounded to six places are one where no map would tell them apart") {
  Selector position = body("/location/position");
  position.round = 6;
  const Policy locations = policy({body("/ride_id"), position});
  const auto at = [&](const std::string& position) {
    Request request;
    request.body = R"({"ride_id":48213,"location":{"position":)" + position + R"(,"at":1}})";
    return fingerprint(locations, request);
  };
  const std::string here = at(R"({"lat":50.110924,"lon":8.682127})");
  CHECK(here.size() == 64);
  CHECK(at(R"({"lon":8.6821270,"lat":50.1109240})") == here);
  CHECK(at(R"({"lat":50.11092404999,"lon":8.6821265})") == here);
  CHECK(at(R"({"lat":5.0110924e1,"lon":8.68212749999})") == here);
  CHECK(at(R"({"lat":50.110925,"lon":8.682127})") != here);
  CHECK(at(R"({"lat":50.110924,"lon":8.6821275})") != here);
  CHECK(at(R"({"lat":-50.110924,"lon":8.682127})") != here);
  // GeoJSON, and the other side of zero.
  CHECK(at("[8.682127,50.110924]") == at("[8.68212700001,50.11092399999]"));
  CHECK(at("[8.682127,50.110924]") != at("[50.110924,8.682127]"));
  CHECK(at("[-0.0000004,0]") == at("[0,0.0000001]"));
}
