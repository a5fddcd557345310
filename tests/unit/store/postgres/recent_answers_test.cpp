#include "store/postgres/recent_answers.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "../rocksdb/store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

RecentAnswer recent(RecentAnswer::Time until, std::size_t bytes = 10) {
  RecentAnswer out;
  out.answer = answer(200, std::string(bytes, 'x'));
  out.until = until;
  return out;
}

}  // namespace

TEST_CASE("recent answers: one counts until its time, and no longer") {
  RecentAnswers answers(1 << 20);
  const RecentAnswer::Time now{};
  answers.add(fingerprint(1), recent(now + 1s), now);
  CHECK(answers.find(fingerprint(1), now + 999ms) != nullptr);
  CHECK(answers.find(fingerprint(1), now + 1s) == nullptr);
  CHECK(answers.find(fingerprint(2), now) == nullptr);
}

TEST_CASE("recent answers: a later one replaces an earlier one, and forgetting leaves none") {
  RecentAnswers answers(1 << 20);
  const RecentAnswer::Time now{};
  answers.add(fingerprint(1), recent(now + 1s), now);
  answers.add(fingerprint(1), recent(now + 2s, 20), now);
  const auto found = answers.find(fingerprint(1), now + 1500ms);
  REQUIRE(found != nullptr);
  CHECK(found->answer.body.size() == 20);
  answers.forget(fingerprint(1));
  CHECK(answers.find(fingerprint(1), now) == nullptr);
  CHECK(answers.bytes() == 0);
}

TEST_CASE("recent answers: what was read earlier does not replace what was read later") {
  RecentAnswers answers(1 << 20);
  const RecentAnswer::Time now{};
  answers.add(fingerprint(1), recent(now + 2s, 20), now);
  answers.add(fingerprint(1), recent(now + 1s), now);
  const auto found = answers.find(fingerprint(1), now);
  REQUIRE(found != nullptr);
  CHECK(found->answer.body.size() == 20);
}

TEST_CASE("recent answers: memory is bounded, whatever comes") {
  constexpr std::size_t most = 1 << 20;
  RecentAnswers answers(most);
  const RecentAnswer::Time now{};
  for (std::uint64_t number = 0; number < 5'000; ++number) {
    answers.add(fingerprint(number), recent(now + 1s, 1'000), now);
  }
  CHECK(answers.bytes() <= most);
  CHECK(answers.bytes() > most / 2);
  answers.add(fingerprint(9'999), recent(now + 1s, most), now);
  CHECK(answers.find(fingerprint(9'999), now) == nullptr);
}
