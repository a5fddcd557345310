#include "proxy/gate/answer.hpp"

#include <algorithm>

#include "policies/request_view.hpp"
#include "proxy/telemetry/json_text.hpp"

namespace onceproxy::gate {

namespace {

using policies::Refusal;
using std::chrono::seconds;

/// An operator ends it, not time: an hour keeps well-behaved clients from asking all the time.
constexpr seconds retry_after_operator{3600};

seconds whole_seconds(std::chrono::milliseconds wait) {
  return std::max(seconds{1}, std::chrono::ceil<seconds>(wait));
}

/// A refusal whose whole body the table has.
Answer said(Refusal why) {
  Answer answer;
  answer.status = policies::standard(why).status;
  answer.head = "Content-Type: application/json\r\n";
  answer.body = policies::standard(why).body;
  return answer;
}

Answer problem_of(Refusal why, std::string_view name, std::string_view title,
                  std::string_view detail, std::optional<seconds> retry_after = std::nullopt) {
  return problem(policies::standard(why).status, name, title, detail, retry_after);
}

constexpr std::string_view retry_after_name = "Retry-After: ";

/// The line of the answer's Retry-After, or nothing.
std::string_view retry_after_line(std::string_view head) {
  const std::size_t begin = head.find(retry_after_name);
  if (begin == std::string_view::npos) return {};
  return head.substr(begin, head.find("\r\n", begin) + 2 - begin);
}

bool has_retry_after(const policies::FixedAnswer& fixed) {
  return std::ranges::any_of(fixed.headers, [](const auto& header) {
    return policies::equals_ignoring_case(header.first, "retry-after");
  });
}

}  // namespace

Answer problem(int status, std::string_view name, std::string_view title, std::string_view detail,
               std::optional<seconds> retry_after) {
  Answer answer;
  answer.status = status;
  answer.head = "Content-Type: application/problem+json\r\n";
  if (retry_after) {
    answer.head.append(retry_after_name).append(std::to_string(retry_after->count())) += "\r\n";
  }
  answer.body.reserve(128 + title.size() + detail.size());
  answer.body.append("{\"type\":\"urn:onceproxy:problem:").append(name);
  answer.body.append("\",\"title\":\"").append(title);
  answer.body.append("\",\"status\":").append(std::to_string(status));
  answer.body.append(",\"detail\":");
  telemetry::append_json_string(answer.body, detail);
  answer.body += '}';
  return answer;
}

// If the client makes the key, the titles of in-flight, key-reused and missing-key are those of
// the IETF draft draft-ietf-httpapi-idempotency-key-header, section 2.7, with the header that the
// policy names. An answer to a request without a key must not mention one.

Answer in_flight(std::string_view key_header) {
  return problem_of(
      Refusal::in_flight, "in-flight",
      key_header.empty() ? "A request is outstanding for this operation"
                         : "A request is outstanding for this " + std::string(key_header),
      "The first request for this operation has not been answered yet; retry later.", seconds{1});
}

Answer mismatch(std::string_view key_header) {
  return problem_of(Refusal::mismatch, "key-reused",
                    key_header.empty() ? "This operation was sent with another payload"
                                       : std::string(key_header) + " is already used",
                    "This operation is known with another payload.");
}

Answer missing_key(std::string_view key_header, std::string_view selector,
                   std::string_view expected) {
  std::string detail = "The request lacks a field that names its operation: ";
  if (!expected.empty()) {
    detail.assign("A field of the request is not ").append(expected).append(": ");
  }
  return problem_of(Refusal::missing_key, "missing-key",
                    key_header.empty() ? "A field that the operation needs is missing"
                                       : std::string(key_header) + " is missing",
                    detail.append(selector));
}

Answer bad_key(std::string_view key_header, std::string_view detail) {
  return problem_of(Refusal::bad_key, "bad-key", std::string(key_header) + " is malformed", detail);
}

Answer unreadable(std::string_view detail) {
  return problem_of(Refusal::unreadable, "unreadable-body", "The body cannot be read", detail);
}

Answer held(std::optional<std::chrono::milliseconds> lease_left) {
  return problem_of(Refusal::held, "outcome-unknown", "The outcome of this operation is unknown",
                    lease_left
                        ? "An earlier request for this operation was forwarded and its outcome "
                          "is not known; it may be sent again after its lease."
                        : "An earlier request for this operation was forwarded and its outcome "
                          "is not known; an operator has to resolve it.",
                    lease_left ? whole_seconds(*lease_left) : retry_after_operator);
}

Answer accepted(const store::Fingerprint& event, std::string_view date) {
  const std::string hex = event.hex();
  Answer answer;
  answer.status = 202;
  answer.head = "Content-Type: application/json\r\n";
  answer.dated = !date.empty();
  if (answer.dated) answer.head.append("Date: ").append(date).append("\r\n");
  answer.body.append(R"({"status":"accepted","event":")").append(hex);
  answer.body.append(R"(","deliveries":"/deliveries?event=)").append(hex).append("\"}");
  return answer;
}

Answer acknowledged() {
  return said(Refusal::acknowledged);
}

Answer stale() {
  return said(Refusal::stale);
}

Answer closed() {
  return said(Refusal::closed);
}

Answer rate_limited(std::chrono::milliseconds retry_after) {
  return problem_of(Refusal::rate_limited, "rate-limited", "Too many operations",
                    "The policy's rate limit is exceeded; retry later.",
                    whole_seconds(retry_after));
}

Answer not_replayable(store::NotKept why) {
  using store::NotKept;
  const auto done = [](std::string_view title, std::string_view detail) {
    return problem_of(Refusal::not_replayable, "not-replayable", title, detail);
  };
  switch (why) {
    case NotKept::too_large:
      break;
    case NotKept::stream:
      return done("The answer was not kept",
                  "This operation was done; its answer was a stream, or broke off on its way.");
    case NotKept::crowded:
      return done(
          "The answer was not kept",
          "This operation was done; its answer was not stored, because too many arrived at once.");
    case NotKept::unwanted:
      return done("The answer was not kept",
                  "This operation was done while the policy gave duplicates a fixed answer.");
    case NotKept::resolved:
      return done("An operator resolved this operation as done",
                  "The outcome of this operation was unknown until an operator marked it as done; "
                  "there is no answer to give again.");
  }
  return done("The answer was too large to keep",
              "This operation was executed; its answer was too large to store and cannot be "
              "replayed.");
}

Answer busy(std::string_view detail) {
  return problem_of(Refusal::busy, "busy", "Too many requests are under way", detail, seconds{1});
}

Answer store_unavailable(std::string_view detail) {
  return problem_of(Refusal::store_error, "store-unavailable", "The store is not available", detail,
                    seconds{1});
}

Answer upstream_unreachable(std::string_view detail) {
  return problem_of(Refusal::upstream_error, "upstream-unreachable", "The upstream did not answer",
                    detail);
}

Answer upstream_timeout(std::string_view detail) {
  return problem(504, "upstream-timeout", "The upstream did not answer in time", detail);
}

Answer bad_request(int status, std::string_view detail) {
  Answer answer = problem(status, "bad-request", reason_phrase(status), detail);
  if (status == 405) answer.head += "Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n";
  return answer;
}

Answer fixed(const policies::FixedAnswer& fixed) {
  Answer answer;
  answer.status = fixed.status;
  for (const auto& [name, value] : fixed.headers) {
    answer.head.append(name).append(": ").append(value).append("\r\n");
    answer.dated |= policies::equals_ignoring_case(name, "date");
  }
  answer.body = fixed.body;
  return answer;
}

Answer refusal(const policies::Policy& policy, policies::Refusal why, Answer standard) {
  const auto& given = policy.respond[static_cast<std::size_t>(why)];
  if (!given) return standard;
  Answer answer = fixed(*given);
  if (answer.status >= 400 && !has_retry_after(*given)) {
    answer.head += retry_after_line(standard.head);
  }
  return answer;
}

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 422:
      return "Unprocessable Content";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "";
  }
}

}  // namespace onceproxy::gate
