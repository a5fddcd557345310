// Answer: an answer that onceproxy makes itself. This is the one place where decisions become HTTP
// (proxy/http/PROTOCOL.md: Decisions). Problems are application/problem+json as in RFC 9457. Pure;
// thread-safe.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "policies/policy.hpp"
#include "proxy/gate/decision.hpp"
#include "store/answer.hpp"
#include "store/fingerprint.hpp"

namespace onceproxy::gate {

struct Answer {
  int status = 0;
  /// Field lines, each "name: value\r\n", without Content-Length, Connection, x-request-id and
  /// Onceproxy-Decision, which the sender of the answer adds.
  std::string head;
  std::string body;
  /// Whether `head` has a Date field: a stored answer keeps its date.
  bool dated = false;
};

/// The answer of a refusal. `detail` is a sentence for people. It never contains a stored body or a
/// payload, and does not say which part of a payload differed. The body is always one line of valid
/// JSON.
Answer problem(int status, std::string_view name, std::string_view title, std::string_view detail,
               std::optional<std::chrono::seconds> retry_after = std::nullopt);

// `key_header`: the header of the client's key. It is empty if fields of the request identify the
// operation; the title then does not mention a key.
Answer in_flight(std::string_view key_header);
Answer mismatch(std::string_view key_header);
/// `expected`: what the field must contain, if it is present and contains something else.
Answer missing_key(std::string_view key_header, std::string_view selector,
                   std::string_view expected = {});
Answer bad_key(std::string_view key_header, std::string_view detail);
Answer unreadable(std::string_view detail);
/// `lease_left`: absent if only an operator can end this state.
Answer held(std::optional<std::chrono::milliseconds> lease_left);
/// 202: the request is stored and will be delivered. The body contains the event and where to ask
/// for its deliveries. `date`: the value of the Date field; if it is empty, there is none.
Answer accepted(const store::Fingerprint& event, std::string_view date);
/// 202: the first request is under way, so the duplicate need not be sent again.
Answer acknowledged();
Answer stale();
Answer closed();
Answer rate_limited(std::chrono::milliseconds retry_after);
/// The title gives the reason: there was no answer, or the answer could not be stored.
Answer not_replayable(store::NotKept why);
Answer busy(std::string_view detail);
Answer store_unavailable(std::string_view detail);
Answer upstream_unreachable(std::string_view detail);
Answer upstream_timeout(std::string_view detail);
/// 400, 405, 408, 413, 414, 431, 501 or 505.
Answer bad_request(int status, std::string_view detail);

Answer fixed(const policies::FixedAnswer& answer);
/// Returns `standard`, or the policy's own answer (`respond`). An error keeps the standard
/// Retry-After unless the policy sets one.
Answer refusal(const policies::Policy& policy, policies::Refusal why, Answer standard);

/// The reason phrase of a status that onceproxy sends itself, or "", which RFC 9112 4 allows.
std::string_view reason_phrase(int status);

}  // namespace onceproxy::gate
