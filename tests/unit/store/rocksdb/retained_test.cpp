#include "store/rocksdb/retained.hpp"

#include <catch2/catch.hpp>

#include "store_fixture.hpp"

using namespace onceproxy::store;

namespace {
std::unique_ptr<Operation> operation(std::size_t bytes = 0) {
  auto out = std::make_unique<Operation>();
  out->record = std::string(bytes, 'x');
  return out;
}
}  // namespace

TEST_CASE("nothing is retained while nothing has failed") {
  Retained retained(10, 10'000);
  auto one = operation();
  CHECK(retained.keep(one) == Retained::KeepResult::inactive);
  CHECK(one != nullptr);
}

TEST_CASE("outcomes are bounded in number and in bytes, doubts are not") {
  Retained retained(2, 10'000);
  retained.start();
  auto big = operation(20'000);
  CHECK(retained.keep(big) == Retained::KeepResult::no_room);
  for (int i = 0; i < 2; ++i) {
    auto one = operation();
    CHECK(retained.keep(one) == Retained::KeepResult::yes);
    CHECK(one == nullptr);
  }
  auto third = operation();
  CHECK(retained.keep(third) == Retained::KeepResult::no_room);
  retained.doubt(operation());
  CHECK(retained.take().size() == 3);
}

TEST_CASE("a failure ends only when nothing more was retained since the last look") {
  Retained retained(2, 10'000);
  retained.start();
  auto one = operation();
  REQUIRE(retained.keep(one) == Retained::KeepResult::yes);
  CHECK_FALSE(retained.finish());
  auto taken = retained.take();
  retained.give_back(std::move(taken));
  CHECK_FALSE(retained.finish());
  CHECK(retained.take().size() == 1);
  CHECK(retained.finish());
  CHECK_FALSE(retained.active());
  retained.start();
  auto after = operation();
  CHECK(retained.keep(after) == Retained::KeepResult::yes);
}
