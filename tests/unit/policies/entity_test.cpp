#include "policies/entity.hpp"

#include <catch2/catch.hpp>

#include "request.hpp"

using namespace onceproxy;
using namespace onceproxy::policies;
using test::Request;
using test::selector;

namespace {

using Parts = std::vector<std::string>;

tl::expected<OperationEntity, SelectError> read(const EntityRule& rule, Request request,
                                                const Match& match = {}) {
  const RequestView view = request.view();
  Document body(view, request.body, 1 << 20);
  return read_entity(rule, Subject{match, view, body});
}

EntityRule ride(std::vector<Selector> id) {
  EntityRule rule;
  rule.type = "ride";
  rule.id = std::move(id);
  return rule;
}

Request body(std::string text) {
  Request request;
  request.body = std::move(text);
  return request;
}

/// What {"sequence": <json>} yields: the number, or the error's detail.
std::string sequence(const std::string& json) {
  EntityRule rule = ride({selector(Source::constant, "1")});
  rule.sequence = selector(Source::body, "/sequence");
  const auto entity = read(rule, body("{\"sequence\":" + json + "}"));
  if (!entity) {
    return entity.error().detail + " is not " + std::string(entity.error().expected);
  }
  REQUIRE(entity->sequence);
  return std::to_string(entity->sequence->high);
}

const std::string no_integer = "selector: /sequence is not an integer of 64 bits";

}  // namespace

TEST_CASE("the keys of entities are those of the grammar in the README, version 1") {
  // Worked out from that grammar by hand and sha256sum: a change here makes every stored entity a
  // new one.
  CHECK(entity_key("ride", Parts{"42"}).hex() ==
        "15a65771e6c1c7e0644d92e528ca8b01b22a0c981d71c89e8f916531a7c8b7ed");
  CHECK(entity_key("ride", Parts{"eu", "42"}).hex() ==
        "4c591a380e81c6bed3dac60f948a4ee6e71f8e2e7c8d9a772e4b603ccd8ebee2");
}

TEST_CASE("one id is one entity, wherever it stands and as whatever it is written") {
  const Match match = test::path_match("/rides/{ride_id}");
  Request in_path;
  in_path.target = "/rides/%34%32";
  const auto path = read(ride({selector(Source::path, "ride_id")}), in_path, match);
  REQUIRE(path);
  CHECK(path->key == entity_key("ride", Parts{"42"}));
  CHECK(path->id == "42");
  const EntityRule in_body = ride({selector(Source::body, "/id")});
  for (const char* json : {R"({"id":42})", R"({"id":42.0})", R"({"id":"42"})"}) {
    INFO(json);
    CHECK(read(in_body, body(json))->key == path->key);
  }
}

TEST_CASE("another type, another id and another cut between its parts is another entity") {
  const std::vector<store::EntityKey> all{
      entity_key("ride", Parts{"42"}),      entity_key("job", Parts{"42"}),
      entity_key("ride", Parts{"4", "2"}),  entity_key("ride", Parts{"42", ""}),
      entity_key("ride", Parts{"4/2"}),     entity_key("ride", Parts{"", "42"}),
      entity_key("ride42", Parts{""}),      entity_key("ride", Parts{}),
      entity_key("ride", Parts{"42", "42"})};
  for (std::size_t i = 0; i < all.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      INFO(i << " and " << j);
      CHECK(all[i] != all[j]);
    }
  }
}

TEST_CASE("a part that is no scalar counts in canonical form") {
  const EntityRule rule = ride({selector(Source::body, "/id")});
  const auto entity = read(rule, body(R"({"id":{"n": 1.0, "city": "x"}})"));
  REQUIRE(entity);
  CHECK(entity->id == R"({"city":"x","n":1})");
  CHECK(entity->key == entity_key("ride", Parts{entity->id}));
}

TEST_CASE("the id is shown with its parts joined, cut between two characters") {
  CHECK(entity_id_text(Parts{"eu", "42"}) == "eu/42");
  CHECK(entity_id_text(Parts{std::string(255, 'x')}) == std::string(255, 'x'));
  CHECK(entity_id_text(Parts{std::string(300, 'x')}) == std::string(255, 'x'));
  // 254 bytes, then a character of two, three and four bytes that no longer fits.
  for (const char* character : {"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x9a\x95"}) {
    CHECK(entity_id_text(Parts{std::string(254, 'x') + character}) == std::string(254, 'x'));
  }
  CHECK(entity_id_text(Parts{std::string(253, 'x') + "\xc3\xa9z"}) ==
        std::string(253, 'x') + "\xc3\xa9");
  CHECK(entity_id_text(Parts{std::string(300, '\x80')}).size() == 255);
  // Only what is shown is cut.
  CHECK(entity_key("ride", Parts{std::string(300, 'x')}) !=
        entity_key("ride", Parts{std::string(255, 'x')}));
}

TEST_CASE("a sequence is an integer of 64 bits by value, as a number or as digits") {
  CHECK(sequence("7") == "7");
  CHECK(sequence("1.0") == "1");
  CHECK(sequence("1e2") == "100");
  CHECK(sequence("120e-1") == "12");
  CHECK(sequence("-0.0") == "0");
  CHECK(sequence("-3") == "-3");
  CHECK(sequence("9223372036854775807") == "9223372036854775807");
  CHECK(sequence("-9223372036854775808") == "-9223372036854775808");
  CHECK(sequence("\"7\"") == "7");
  CHECK(sequence("\"-7\"") == "-7");
  CHECK(sequence("\"007\"") == "7");
  CHECK(sequence("\"-9223372036854775808\"") == "-9223372036854775808");
}

TEST_CASE("a sequence that is no such integer is said to have to be one") {
  for (const char* json : {"1.5",
                           "9223372036854775808",
                           "-9223372036854775809",
                           "1e19",
                           "1e999999",
                           "1e-1",
                           "null",
                           "true",
                           "[1]",
                           "{}",
                           "\"\"",
                           "\"-\"",
                           "\"+7\"",
                           "\" 7\"",
                           "\"7 \"",
                           "\"1.0\"",
                           "\"1e2\"",
                           "\"0x10\"",
                           "\"seven\"",
                           "\"9223372036854775808\""}) {
    INFO(json);
    CHECK(sequence(json) == no_integer);
  }
}

TEST_CASE("missing fields of an entity are named, those of the id before the sequence") {
  EntityRule rule = ride({selector(Source::body, "/city"), selector(Source::body, "/id")});
  rule.sequence = selector(Source::body, "/sequence");
  CHECK(read(rule, body("{}")).error().detail == "selector: /city");
  CHECK(read(rule, body(R"({"city":"x"})")).error().detail == "selector: /id");
  const auto error = read(rule, body(R"({"city":"x","id":1})"));
  CHECK(error.error().detail == "selector: /sequence");
  CHECK(error.error().kind == SelectError::Kind::missing);
}
