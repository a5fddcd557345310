#include "store/entity.hpp"

#include <catch2/catch.hpp>
#include <limits>

#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

WallTime at(std::chrono::milliseconds time) {
  return WallTime(time);
}

EntityTerms asking(std::optional<std::int64_t> sequence, bool unless_closed = false) {
  EntityTerms out;
  out.sequence = sequence;
  out.unless_closed = unless_closed;
  return out;
}

bool admits(const EntityVerdict& verdict) {
  return std::holds_alternative<std::monostate>(verdict);
}

bool stale(const Entity& entity, std::int64_t sequence, WallTime now) {
  return std::holds_alternative<Stale>(judge(entity, asking(sequence), now));
}

}  // namespace

TEST_CASE("the bytes of an entity come back, and others are refused") {
  Entity entity;
  entity.expires = at(300s);
  entity.sequence_until = at(200s);
  entity.closed_until = at(100s);
  entity.type = "ride";
  entity.id = "r-1";
  const bool highest = GENERATE(false, true);
  const bool integer = GENERATE(false, true);
  const bool holder = GENERATE(false, true);
  if (highest) entity.highest = integer ? Sequence(-7) : Sequence::of_time(-7, 12);
  if (holder) entity.holder = Entity::Holder{fingerprint(1), Nonce{1, 2, 3}};
  const std::string bytes = encode(entity);
  const auto back = decode_entity(bytes);
  REQUIRE(back);
  CHECK(back->expires == entity.expires);
  CHECK(back->sequence_until == entity.sequence_until);
  CHECK(back->closed_until == entity.closed_until);
  CHECK(back->highest == entity.highest);
  REQUIRE(back->holder.has_value() == holder);
  if (holder) {
    CHECK(back->holder->fingerprint == fingerprint(1));
    CHECK(back->holder->nonce == Nonce{1, 2, 3});
  }
  CHECK(back->type == "ride");
  CHECK(back->id == "r-1");
  CHECK(decode_entity_expiry(bytes) == entity.expires);
  CHECK_FALSE(decode_entity(bytes + "x"));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK_FALSE(decode_entity(bytes.substr(0, size)));
  }
  // Earlier versions know integers alone, and go on reading them.
  CHECK(bytes[0] == (highest && !integer ? '\2' : '\1'));
  CHECK_FALSE(decode_entity((bytes[0] == '\1' ? "\2" : "\1") + bytes.substr(1)));
  CHECK_FALSE(decode_entity("\3" + bytes.substr(1)));
  CHECK_FALSE(decode_entity_expiry("\3" + bytes.substr(1)));
}

TEST_CASE("at or below the highest completed sequence is stale, for a window") {
  Entity entity;
  CHECK_FALSE(stale(entity, std::numeric_limits<std::int64_t>::min(), at(0s)));
  complete(entity, {{}, true, 5, {}}, 100s, at(10s));
  CHECK(stale(entity, 5, at(10s)));
  CHECK(stale(entity, -5, at(10s)));
  CHECK_FALSE(stale(entity, 6, at(10s)));
  CHECK(admits(judge(entity, asking(std::nullopt), at(10s))));
  complete(entity, {{}, true, 3, {}}, 100s, at(20s));
  CHECK(stale(entity, 5, at(20s)));
  CHECK(stale(entity, 5, at(119'999ms)));
  CHECK_FALSE(stale(entity, 5, at(120s)));
  CHECK(entity.expires == at(120s));
  complete(entity, {{}, true, 1, {}}, 100s, at(120s));
  CHECK(entity.highest == 1);
}

TEST_CASE("an equal sequence passes where the request says so, and a lower one does not") {
  Entity entity;
  complete(entity, {{}, true, 5, {}}, 100s, at(0s));
  EntityTerms terms = asking(5);
  terms.equal_passes = true;
  CHECK(admits(judge(entity, terms, at(1s))));
  terms.sequence = 4;
  CHECK(std::holds_alternative<Stale>(judge(entity, terms, at(1s))));
}

TEST_CASE("a sequence of another kind says nothing, and takes over once it is completed") {
  Entity entity;
  complete(entity, {{}, true, 5, {}}, 100s, at(0s));
  EntityTerms terms;
  terms.sequence = Sequence::of_time(1, 0);
  CHECK(admits(judge(entity, terms, at(1s))));
  complete(entity, {{}, true, Sequence::of_time(1, 0), {}}, 100s, at(1s));
  CHECK(entity.highest == Sequence::of_time(1, 0));
  CHECK(std::holds_alternative<Stale>(judge(entity, terms, at(1s))));
  CHECK_FALSE(stale(entity, 1, at(1s)));
}

TEST_CASE("a shorter closing or window never shortens a longer one") {
  Entity entity;
  complete(entity, {{}, true, 1, 1000s}, 500s, at(0s));
  complete(entity, {{}, true, 2, 10s}, 20s, at(1s));
  CHECK(entity.closed_until == at(1000s));
  CHECK(entity.sequence_until == at(500s));
  CHECK(entity.expires == at(1000s));
}

TEST_CASE("while it is closed those that ask for it are refused, before their sequence") {
  Entity entity;
  complete(entity, {{}, true, 5, 60s}, 100s, at(0s));
  const auto closed = judge(entity, asking(1, true), at(20s));
  REQUIRE(std::holds_alternative<Closed>(closed));
  CHECK(std::get<Closed>(closed).left == 40s);
  CHECK(admits(judge(entity, asking(6, false), at(20s))));
  CHECK(admits(judge(entity, asking(6, true), at(60s))));
}
