// What the model asks and expects, in the store's types, and what the store answers, in the model's
// words. See model.hpp.
#pragma once

#include "model.hpp"
#include "store_fixture.hpp"

namespace onceproxy::store::model {

inline ReserveRequest request_of(const Ask& ask) {
  ReserveRequest out = testing::request(static_cast<std::uint64_t>(ask.fingerprint));
  if (ask.payload) out.payload = testing::payload(static_cast<std::uint8_t>(*ask.payload));
  out.terms = ask.terms;
  out.wait = ask.wait;
  out.bytes_kept = 100;
  if (const auto& entity = ask.entity) {
    out.entity = EntityTerms{testing::entity_key(static_cast<std::uint64_t>(entity->key)),
                             "ride",
                             "42",
                             entity->turn,
                             entity->sequence,
                             entity->closes,
                             entity->unless_closed};
  }
  if (const auto& rate = ask.rate) {
    out.rate =
        RateTerms{testing::rate_key(static_cast<std::uint64_t>(rate->key)), rate->limit, rate->per};
  }
  return out;
}

/// Completions have numbers below this, each with an answer of its own.
inline constexpr int completions_max = 350;

/// What a completion keeps, by its number: small, large enough to lie apart, or not to be replayed.
inline StoredAnswer answer_of(int number) {
  const auto size = static_cast<std::size_t>(number % 5 == 0 ? 5'000 : number % 40);
  StoredAnswer out{200 + number % 50, "x-answer: " + std::to_string(number) + "\r\n",
                   std::string(size, static_cast<char>('a' + number % 26)), number % 7 != 0};
  if (!out.replayable) out.head = out.body = {};
  return out;
}

inline std::string text_of(const Completed& got, WallTime epoch) {
  const StoredAnswer& answer = got.answer;
  for (int number = 0; number < completions_max; ++number) {
    const StoredAnswer expected = answer_of(number);
    if (answer.status == expected.status && answer.head == expected.head &&
        answer.body == expected.body && answer.replayable == expected.replayable) {
      return completed(number, got.completed_at - epoch);
    }
  }
  return "Completed with an answer that nobody gave";
}

inline std::string text_of(const Unavailable& got) {
  switch (got.reason) {
    case Unavailable::Reason::failed:
      return "Unavailable failed";
    case Unavailable::Reason::closing:
      return "Unavailable closing";
    case Unavailable::Reason::full:
    case Unavailable::Reason::pending:
    case Unavailable::Reason::corrupt:
    case Unavailable::Reason::events:
      break;
  }
  return "Unavailable for another reason";
}

/// Anything but Reserved.
inline std::string text_of(const ReserveResult& result, WallTime epoch) {
  if (const auto* const got = std::get_if<Held>(&result)) return held(got->lease_left);
  if (const auto* const got = std::get_if<Completed>(&result)) return text_of(*got, epoch);
  if (const auto* const got = std::get_if<Unavailable>(&result)) return text_of(*got);
  if (const auto* const got = std::get_if<Closed>(&result)) {
    return "Closed " + std::to_string(got->left.count());
  }
  if (const auto* const got = std::get_if<RateLimited>(&result)) {
    return "RateLimited " + std::to_string(got->retry_after.count());
  }
  if (std::holds_alternative<InFlight>(result)) return "InFlight";
  if (std::holds_alternative<Mismatch>(result)) return "Mismatch";
  if (std::holds_alternative<Stale>(result)) return "Stale";
  return "NoTurn";
}

}  // namespace onceproxy::store::model
