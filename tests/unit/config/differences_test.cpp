#include "config/differences.hpp"

#include <catch2/catch.hpp>

namespace onceproxy::config {
namespace {

using Words = std::vector<std::string>;

Words between(std::string_view before, std::string_view after) {
  return differences(before, after, [](const std::string& name) -> std::optional<std::string> {
    return name == "PORT" ? std::optional<std::string>("80") : std::nullopt;
  });
}

TEST_CASE("comments, white space, the order of keys and where a value is from are no difference") {
  CHECK(between("a: x\nb: {c: 80}\n", "# new\nb:\n  c: ${PORT}\na:   x\n") == Words{});
}

TEST_CASE("keys that changed, came and went are named") {
  CHECK(between("a: [1, 2]\n", "a: [2, 1]\n") == Words{"a"});
  CHECK(between("a: {b: 1}\n", "a: {b: 1, c: 1}\n") == Words{"a"});
  CHECK(between("a: x\nb: {c: 1}\nd: 1\n", "a: x\nb: {c: 2}\ne: 1\n") == Words{"b", "e", "d"});
}

TEST_CASE("a policy is known by its name, wherever it stands") {
  CHECK(between("policies: [{name: a, x: 1}, {name: b}, {name: c}]\n",
                "policies: [{name: n}, {name: a, x: 2}, {name: c}]\n") ==
        Words{"policy n (new)", "policy a", "policy b (gone)"});
  CHECK(between("policies: [{name: a}]\n", "a: 1\n") == Words{"a", "policy a (gone)"});
}

TEST_CASE("policies in another order differ, since the first match wins") {
  CHECK(between("policies: [{name: a}, {name: b}]\n", "policies: [{name: b}, {name: a}]\n") ==
        Words{"the order of policies"});
}

}  // namespace
}  // namespace onceproxy::config
