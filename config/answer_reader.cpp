#include "config/answer_reader.hpp"

#include "config/fixed_answer.hpp"
#include "config/scalars.hpp"

namespace onceproxy::config {
namespace {

using policies::FixedAnswer;
using policies::Refusal;
using policies::Responses;

FixedAnswer json_answer(int status, std::string body) {
  return {status, {{"content-type", "application/json"}}, std::move(body)};
}

FixedAnswer suppressed() {
  return json_answer(200, R"({"status":"suppressed","reason":"duplicate"})");
}

/// A row of `respond`. `standard` is what is not written.
Key<Responses> refusal_key(Refusal refusal, std::string word, FixedAnswer standard,
                           const std::string& when) {
  return key<Responses>(
      word,
      [refusal](Responses & responses) -> auto& {
        return responses[static_cast<std::size_t>(refusal)];
      },
      fixed_answer("an answer of respond", std::move(standard)),
      "What a request gets " + when + ".");
}

/// The same, where the standard answer is a problem (RFC 9457): its detail is not for a fixed
/// answer, so what stands in is as short as for the others.
Key<Responses> problem_key(Refusal refusal, const std::string& word, int status,
                           const std::string& when) {
  return refusal_key(refusal, word,
                     json_answer(status, R"({"status":"refused","reason":")" + word + "\"}"), when);
}

}  // namespace

Kind<std::optional<FixedAnswer>> on_duplicate() {
  using Result = std::optional<FixedAnswer>;
  const Kind<FixedAnswer> fixed = fixed_answer("on_duplicate", suppressed());
  Kind<Result> kind;
  kind.names = fixed.names;
  kind.read = [fixed](const Node& node) -> std::optional<Result> {
    if (node.is_map()) {
      auto value = fixed.read(node);
      if (!value) return std::nullopt;
      return Result(*std::move(value));
    }
    if (node.is_scalar() && node.text() == "replay") return Result();
    node.expected("`replay` or a map of status, headers and body");
    return std::nullopt;
  };
  kind.schema = [fixed] {
    return Json::object(
        {{"anyOf", Json::array({word_schema({"replay"}), fixed.schema()})}, {"default", "replay"}});
  };
  return kind;
}

Kind<Responses> respond() {
  return section<Responses>(
      {"respond",
       {problem_key(Refusal::in_flight, "in-flight", 409, "while another one is under way"),
        refusal_key(Refusal::acknowledged, "acknowledged",
                    json_answer(202, R"({"status":"accepted","reason":"in-flight"})"),
                    "while another one is under way, with in_flight: {action: acknowledge}"),
        problem_key(Refusal::mismatch, "mismatch", 422, "whose payload differs"),
        problem_key(Refusal::missing_key, "missing-key", 400, "that lacks a selected field"),
        problem_key(Refusal::bad_key, "bad-key", 400, "whose client key is malformed"),
        problem_key(Refusal::unreadable, "unreadable", 400,
                    "whose body cannot be read where the policy asks it"),
        problem_key(Refusal::held, "held", 409, "while the outcome is unknown"),
        refusal_key(Refusal::stale, "stale",
                    json_answer(200, R"({"status":"ignored","reason":"stale"})"),
                    "whose sequence is not above the entity's"),
        refusal_key(Refusal::closed, "closed",
                    json_answer(200, R"({"status":"ignored","reason":"closed"})"),
                    "while its entity is closed"),
        problem_key(Refusal::rate_limited, "rate-limited", 429, "over the rate limit"),
        problem_key(Refusal::not_replayable, "not-replayable", 409, "whose answer was not kept"),
        problem_key(Refusal::busy, "busy", 503, "whose turn does not come in time"),
        problem_key(Refusal::store_error, "store-error", 503, "that the store cannot promise"),
        problem_key(Refusal::upstream_error, "upstream-error", 502,
                    "that the upstream did not answer, or not in well-formed HTTP. Without a "
                    "status here it is 502 also for a time-out"),
        problem_key(Refusal::bad_request, "bad-request", 400,
                    "whose body is too large, too slow or malformed, once its head has shown that "
                    "the policy covers it. Without a status here it is 400 whatever was wrong")}});
}

}  // namespace onceproxy::config
