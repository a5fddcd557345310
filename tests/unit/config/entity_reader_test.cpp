#include "config/entity_reader.hpp"

#include "loading.hpp"

namespace onceproxy::config {
namespace {

using namespace std::chrono_literals;

policies::EntityRule entity_of(const std::string& yaml) {
  const auto policy = loaded_policy("match: {path: \"/{ride}\"}\nentity: " + yaml);
  REQUIRE(policy.entity);
  return *policy.entity;
}

Texts wrong(const std::string& yaml) {
  return policy_problems("match: {path: \"/{ride}\"}\nentity: " + yaml);
}

Texts wrong_rate(const std::string& yaml) {
  return policy_problems("rate_limit: " + yaml);
}

TEST_CASE("A policy has no entity and no rate limit unless it names them") {
  CHECK(!loaded_policy("").entity);
  CHECK(!loaded_policy("").rate_limit);
}

TEST_CASE("An entity needs a type and an id, and has the defaults of config/REFERENCE.md") {
  const auto entity = entity_of("{type: ride, id: [{path: ride}]}");
  CHECK(entity.type == "ride");
  REQUIRE(entity.id.size() == 1);
  CHECK(entity.id[0].text == "path: ride");
  CHECK(entity.wait == 5s);
  CHECK(!entity.sequence);
  CHECK(!entity.closes);
  CHECK(!entity.unless_closed);
  CHECK(wrong("{}") == Texts{"entity: `type` is missing", "entity: `id` is missing"});
}

TEST_CASE("Every key of an entity is read") {
  const auto entity = entity_of(
      "{type: ride-2, id: [{path: ride}, {body: /leg}], wait: 0s, sequence: {body: /sequence}, "
      "closes: 24h, unless_closed: true}");
  CHECK(entity.type == "ride-2");
  CHECK(entity.id.size() == 2);
  CHECK(entity.wait == 0s);
  REQUIRE(entity.sequence);
  CHECK(entity.sequence->text == "body: /sequence");
  CHECK(entity.closes == 24h);
  CHECK(entity.unless_closed);
}

TEST_CASE("Entities that are not valid are refused") {
  const std::string ride = "{type: ride, id: [{path: ride}], ";
  CHECK(wrong("{type: Ride, id: [{path: ride}]}") ==
        Texts{"entity.type: \"Ride\" is not a valid name: 1 to 63 of a-z, 0-9 and -"});
  CHECK(wrong("{type: ride, id: []}") == Texts{"entity.id: the list of selectors is empty"});
  CHECK(wrong("{type: ride, id: ride}") ==
        Texts{"entity.id: expected a list of selectors, found \"ride\""});
  CHECK(wrong(ride + "wait: 6m}") == Texts{"entity.wait: must be from 0ms to 5m, found \"6m\""});
  CHECK(wrong(ride + "closes: 0s}") ==
        Texts{"entity.closes: must be from 10ms to 366d, found \"0s\""});
  CHECK(wrong(ride + "unless_closed: yes}") ==
        Texts{"entity.unless_closed: expected true or false, found \"yes\""});
  CHECK(wrong(ride + "sequnce: {body: /s}}") ==
        Texts{"entity.sequnce: unknown key \"sequnce\"; did you mean \"sequence\"?"});
}

TEST_CASE("A sequence is one field that a sender counts up") {
  const auto sequence = [](const std::string& yaml) {
    return wrong("{type: ride, id: [{path: ride}], sequence: " + yaml + "}");
  };
  CHECK(sequence("[{body: /s}]") == Texts{"entity.sequence: expected a map, found a list"});
  for (const std::string source : {"method: true", "target: true", "content: true", "const: 1"}) {
    const std::string name = source.substr(0, source.find(':'));
    CHECK(
        sequence("{" + source + "}") ==
        Texts{"entity.sequence." + name + ": `" + name +
              "` cannot be a sequence; select a field with an integer that the sender counts up"});
  }
  CHECK(sequence("{client_key: k}").size() == 1);
  CHECK(sequence("{client_certificate: sha256}").size() == 2);  // and no listener asks for one
  CHECK(sequence("{body: /a/*/n}") ==
        Texts{"entity.sequence: `body: /a/*/n` is an array, which has no order"});
  CHECK(sequence("{query: n, sort: true}").size() == 1);
  CHECK(
      sequence("{body: /n, otherwise: {header: Last-Modified}}") ==
      Texts{"entity.sequence.otherwise: `header: Last-Modified` is an HTTP date, which cannot be a "
            "sequence; select a field with an integer or an RFC 3339 time"});
  CHECK(sequence("{body: /n, default: none}") ==
        Texts{"entity.sequence.default: \"none\" is not an integer of 64 bits"});
  CHECK(sequence("{body: /n, default: 0}") == Texts{});
  CHECK(sequence("{body: /n, default: 0, as: time}") ==
        Texts{"entity.sequence.default: \"0\" is not a time with its offset (RFC 3339)"});
  CHECK(sequence("{as: time}").size() == 1);
  CHECK(sequence("{body: /n, as: number}").size() == 1);
  CHECK(sequence("{body: /n, equal: true}").size() == 1);
}

TEST_CASE("A sequence says what it holds, and what becomes of an equal one") {
  const auto sequence = [](const std::string& more) {
    return *entity_of("{type: ride, id: [{path: ride}], sequence: {body: /s" + more + "}}")
                .sequence;
  };
  CHECK(sequence("").kind() == store::Sequence::Kind::integer);
  CHECK(!sequence("").as);
  CHECK(!sequence("").equal_passes);
  CHECK(sequence(", as: integer").as == store::Sequence::Kind::integer);
  CHECK(sequence(", as: time, equal: pass").kind() == store::Sequence::Kind::time);
  CHECK(sequence(", as: time, equal: pass").equal_passes);
  CHECK(sequence(", as: hex, equal: stale").kind() == store::Sequence::Kind::hex);
  CHECK(!sequence(", as: hex, equal: stale").equal_passes);
}

TEST_CASE("Policies that share entities order them by one kind of sequence") {
  const auto policy = [](const std::string& name, const std::string& type, const std::string& as) {
    return "- {name: " + name + ", match: {path: /" + name + "}, fingerprint: [{body: /id}], " +
           "scope: shared, entity: {type: " + type +
           ", id: [{body: /id}], sequence: {body: /s, as: " + as + "}}}\n";
  };
  CHECK(problems("policies:\n" + policy("a", "ride", "time") + policy("b", "ride", "time") +
                 policy("c", "job", "hex")) == Texts{});
  CHECK(problems("policies:\n" + policy("a", "ride", "time") + policy("b", "ride", "hex")) ==
        Texts{"policies[1].entity.sequence: policies[0] (a) orders the entities of type `ride` as "
              "time, and this as hex; write the same `as` in both"});
}

TEST_CASE("The selectors of an entity and a rate limit fit the policy's path and methods") {
  CHECK(wrong("{type: ride, id: [{path: rid}], sequence: {path: seq}}") ==
        Texts{"entity.id[0].path: the path captures no `rid`, only ride",
              "entity.sequence.path: the path captures no `seq`, only ride"});
  CHECK(policy_problems("match: {methods: [GET]}\nfingerprint: [{query: a}]\n"
                        "entity: {type: t, id: [{body: /a}], sequence: {form: b}}\n"
                        "rate_limit: {limit: 1, per: 1s, by: [{body: /a}]}")
            .size() == 3);
  CHECK(wrong_rate("{limit: 1, per: 1s, by: [{path: a}]}").size() == 1);
}

TEST_CASE("A rate limit is a number of operations in a time, for each value of some fields") {
  const auto by_fingerprint = loaded_policy("rate_limit: {limit: 10, per: 1h}").rate_limit;
  REQUIRE(by_fingerprint);
  CHECK(by_fingerprint->limit == 10);
  CHECK(by_fingerprint->per == 1h);
  CHECK(by_fingerprint->by.empty());
  const auto by_name =
      loaded_policy("rate_limit: {limit: 1, per: 1s, by: [{body: /name}]}").rate_limit;
  REQUIRE(by_name->by.size() == 1);
  CHECK(by_name->by[0].text == "body: /name");
}

TEST_CASE("A rate limit without a number or a time, or with none, is refused") {
  CHECK(wrong_rate("{}") ==
        Texts{"rate_limit: `limit` is missing", "rate_limit: `per` is missing"});
  CHECK(wrong_rate("{limit: 0, per: 1s}") ==
        Texts{"rate_limit.limit: must be from 1 to 1000000, found \"0\""});
  CHECK(wrong_rate("{limit: 1, per: 1}") ==
        Texts{"rate_limit.per: expected a duration such as 500ms, 30s, 5m, 24h or 7d, found "
              "\"1\"; a duration needs a unit"});
  CHECK(wrong_rate("{limit: 1, per: 999ms}") ==
        Texts{"rate_limit.per: must be from 1s to 366d, found \"999ms\""});
  CHECK(wrong_rate("{limit: 1, per: 1s, by: []}") ==
        Texts{"rate_limit.by: the list of selectors is empty"});
}

}  // namespace
}  // namespace onceproxy::config
