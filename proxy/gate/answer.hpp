// Answer: what onceproxy itself says to a client, and the one place where decisions become HTTP
// (proxy/http/PROTOCOL.md: Decisions). Problems are RFC 9457 application/problem+json.
// Pure; thread-safe.
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
  /// Field lines, each "name: value\r\n"; without Content-Length, Connection, x-request-id and
  /// Onceproxy-Decision, which the sender of the answer adds.
  std::string head;
  std::string body;
  /// `head` has a Date field: a stored answer keeps the one it was given.
  bool dated = false;
};

/// The answer of a refusal. `detail` is a sentence for a person; it never holds a stored body, a
/// payload, or which part of one differed. Whatever its bytes, the body is one line of valid JSON.
Answer problem(int status, std::string_view name, std::string_view title, std::string_view detail,
               std::optional<std::chrono::seconds> retry_after = std::nullopt);

// `key_header`: the header of the client's key that it is about; empty where fields of the request
// name the operation, and the title speaks of no key then.
Answer in_flight(std::string_view key_header);
Answer mismatch(std::string_view key_header);
/// `expected`: what the field must be, where it is there and is something else.
Answer missing_key(std::string_view key_header, std::string_view selector,
                   std::string_view expected = {});
Answer bad_key(std::string_view key_header, std::string_view detail);
Answer unreadable(std::string_view detail);
/// `lease_left` absent: only an operator ends it.
Answer held(std::optional<std::chrono::milliseconds> lease_left);
/// 202: the request is stored, and will be delivered. Names the event, and where its fate can be
/// looked up. `date`: the value of the Date field; empty: none.
Answer accepted(const store::Fingerprint& event, std::string_view date);
/// 202: the first request is under way, and its duplicate need not be sent again.
Answer acknowledged();
Answer stale();
Answer closed();
Answer rate_limited(std::chrono::milliseconds retry_after);
/// Says why: that there was never an answer, or what it was that could not be kept.
Answer not_replayable(store::NotKept why);
Answer busy(std::string_view detail);
Answer store_unavailable(std::string_view detail);
Answer upstream_unreachable(std::string_view detail);
Answer upstream_timeout(std::string_view detail);
/// 400, 405, 408, 413, 414, 431, 501 or 505.
Answer bad_request(int status, std::string_view detail);

Answer fixed(const policies::FixedAnswer& answer);
/// `standard`, or what the policy says in its place (`respond`). An error keeps the
/// standard's Retry-After unless the policy gives one.
Answer refusal(const policies::Policy& policy, policies::Refusal why, Answer standard);

/// The reason phrase of a status that onceproxy sends itself, or "" (RFC 9112 4 allows none).
std::string_view reason_phrase(int status);

}  // namespace onceproxy::gate
