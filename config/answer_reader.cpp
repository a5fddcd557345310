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

/// What a map under `respond` has for a refusal if it says nothing else. The detail of a problem
/// (RFC 9457) is not for a fixed answer, so what stands in is as short as for the others.
FixedAnswer standard_answer(Refusal refusal) {
  const policies::StandardRefusal& standard = policies::standard(refusal);
  std::string body(standard.body);
  if (body.empty()) body.append(R"({"status":"refused","reason":")").append(standard.word) += "\"}";
  return json_answer(standard.status, std::move(body));
}

/// A row of `respond`.
Key<Responses> row(Refusal refusal, const std::string& when) {
  return key<Responses>(
      std::string(policies::standard(refusal).word),
      [refusal](Responses & responses) -> auto& {
        return responses[static_cast<std::size_t>(refusal)];
      },
      fixed_answer("an answer of respond", standard_answer(refusal)), "The answer " + when + ".");
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
    return JsonObject(
        {{"anyOf", JsonArray({word_schema({"replay"}), fixed.schema()})}, {"default", "replay"}});
  };
  return kind;
}

Kind<Responses> respond() {
  return section<Responses>(
      {"respond",
       {row(Refusal::in_flight, "while another request of the operation is under way"),
        row(Refusal::acknowledged,
            "while another request of the operation is under way, with in_flight: {action: "
            "acknowledge}"),
        row(Refusal::mismatch, "to a request with a known fingerprint and another payload"),
        row(Refusal::missing_key, "to a request without a selected field"),
        row(Refusal::bad_key, "to a request with a malformed client key"),
        row(Refusal::unreadable, "to a request whose body the policy needs and cannot read"),
        row(Refusal::held, "while the outcome of the operation is unknown"),
        row(Refusal::stale, "to a request whose sequence is not above that of the entity"),
        row(Refusal::closed, "while the entity is closed"),
        row(Refusal::rate_limited, "to a request above the rate limit"),
        row(Refusal::not_replayable, "to a duplicate of an operation whose answer was not stored"),
        row(Refusal::busy,
            "to a request that would exceed a limit or whose turn does not come in time"),
        row(Refusal::store_error, "while the store has failed"),
        row(Refusal::upstream_error,
            "if the upstream does not answer, or not in well-formed HTTP. Without a status here it "
            "is 502, also for a timeout"),
        row(Refusal::bad_request,
            "to a request that the policy covers and whose body is too large, too slow or "
            "malformed. Without a status here it is 400 in all these cases")}});
}

}  // namespace onceproxy::config
