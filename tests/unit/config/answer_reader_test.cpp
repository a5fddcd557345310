#include "config/answer_reader.hpp"

#include "loading.hpp"

namespace onceproxy::config {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

TEST_CASE("Replay is the default and leaves no fixed answer") {
  CHECK(!loaded_policy("").on_duplicate);
  CHECK(!loaded_policy("on_duplicate: replay").on_duplicate);
}

policies::FixedAnswer answer_to(policies::Refusal refusal, const std::string& yaml) {
  const auto answer = loaded_policy("respond: " + yaml).respond[static_cast<std::size_t>(refusal)];
  REQUIRE(answer);
  return *answer;
}

TEST_CASE("No refusal has another answer unless respond gives it one") {
  for (const std::string yaml : {"", "respond: {}", "respond: {stale: {status: 204}}"}) {
    std::size_t given = 0;
    for (const auto& answer : loaded_policy(yaml).respond) given += answer ? 1 : 0;
    CHECK(given == (yaml.find("stale") == std::string::npos ? 0 : 1));
  }
}

TEST_CASE("Each refusal can be given an answer, and keeps its status where none is written") {
  using policies::Refusal;
  const std::vector<std::tuple<Refusal, std::string, int, std::string>> refusals{
      {Refusal::in_flight, "in-flight", 409, "refused"},
      {Refusal::mismatch, "mismatch", 422, "refused"},
      {Refusal::missing_key, "missing-key", 400, "refused"},
      {Refusal::bad_key, "bad-key", 400, "refused"},
      {Refusal::unreadable, "unreadable", 400, "refused"},
      {Refusal::held, "held", 409, "refused"},
      {Refusal::stale, "stale", 200, "ignored"},
      {Refusal::closed, "closed", 200, "ignored"},
      {Refusal::rate_limited, "rate-limited", 429, "refused"},
      {Refusal::not_replayable, "not-replayable", 409, "refused"},
      {Refusal::busy, "busy", 503, "refused"},
      {Refusal::store_error, "store-error", 503, "refused"},
      {Refusal::upstream_error, "upstream-error", 502, "refused"},
      {Refusal::bad_request, "bad-request", 400, "refused"},
  };
  CHECK(refusals.size() + 1 == policies::refusal_count);
  for (const auto& [refusal, word, status, said] : refusals) {
    CAPTURE(word);
    const auto standard = answer_to(refusal, "{" + word + ": {}}");
    CHECK(standard.status == status);
    CHECK(standard.body == "{\"status\":\"" + said + "\",\"reason\":\"" + word + "\"}");
    CHECK(standard.headers == Headers{{"content-type", "application/json"}});
    const auto own = answer_to(refusal, "{" + word + ": {status: 299, body: x}}");
    CHECK(own.status == 299);
    CHECK(own.body == "x");
    CHECK(own.headers.empty());
  }
  const auto acknowledged = answer_to(Refusal::acknowledged, "{acknowledged: {}}");
  CHECK(acknowledged.status == 202);
  CHECK(acknowledged.body == R"({"status":"accepted","reason":"in-flight"})");
}

TEST_CASE("The answers of respond keep the rules of a fixed answer") {
  const auto answer = answer_to(policies::Refusal::in_flight,
                                "{in-flight: {status: 503, headers: {retry-after: 7}}}");
  CHECK(answer.headers == Headers{{"retry-after", "7"}, {"content-type", "application/json"}});
  CHECK(answer_to(policies::Refusal::stale, "{stale: {status: 204}}").body.empty());
  CHECK(policy_problems("respond: {stale: {status: 204, body: x}, held: {status: 100}}") ==
        Texts{"respond.stale.body: an answer with status 204 has no body; leave it out",
              "respond.held.status: 100 is an interim status, not that of an answer; use 200 to "
              "599"});
  CHECK(policy_problems("respond: {stale: {headers: {connection: close}}}").size() == 1);
  CHECK(policy_problems("respond: {stale: ignore}") ==
        Texts{"respond.stale: expected a map, found \"ignore\""});
}

TEST_CASE("Only a refusal can be given an answer by respond") {
  CHECK(policy_problems("respond: {in_flight: {}}") ==
        Texts{"respond.in_flight: unknown key \"in_flight\"; did you mean \"in-flight\"?"});
  CHECK(policy_problems("respond: {replayed: {}}").size() == 1);
  CHECK(policy_problems("status: 200") ==
        Texts{"status: unknown key \"status\"; `status` belongs in on_duplicate, a condition on an "
              "answer or an answer of respond"});
  CHECK(policy_problems("respond: [stale]") == Texts{"respond: expected a map, found a list"});
}

}  // namespace
}  // namespace onceproxy::config
