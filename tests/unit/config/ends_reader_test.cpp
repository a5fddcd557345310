#include "config/ends_reader.hpp"

#include "loading.hpp"

namespace onceproxy::config {
namespace {

const std::string two_fields = "fingerprint: [{body: /key}, {body: /action}]\nscope: shared\n";

TEST_CASE("An entry of ends takes what it does not say from its policy") {
  const auto policy = loaded_policy(two_fields +
                                    "ends:\n"
                                    "  - fingerprint: [{body: /key}, {const: trigger}]\n"
                                    "  - {fingerprint: [{body: /key}, {const: resolve}], "
                                    "namespace: p, scope: shared}");
  REQUIRE(policy.ends.size() == 2);
  CHECK(policy.ends[0].fingerprint.at(0).text == "body: /key");
  CHECK(policy.ends[0].fingerprint.at(1).name == "trigger");
  CHECK(policy.ends[0].name_space.empty());
  CHECK(!policy.ends[0].scope);
  CHECK(policy.ends[1].name_space == "p");
  REQUIRE(policy.ends[1].scope);
  CHECK(policy.ends[1].scope->empty());
  CHECK(loaded_policy("").ends.empty());
}

TEST_CASE("Ends that name nothing are refused") {
  const auto wrong = [](const std::string& ends) {
    return policy_problems(two_fields + "ends: " + ends);
  };
  CHECK(wrong("[]").size() == 1);
  CHECK(wrong("[{namespace: p}]") == Texts{"ends[0]: `fingerprint` is missing"});
  CHECK(wrong("[{fingerprint: [{const: a}, {const: b}]}]") ==
        Texts{"ends[0].fingerprint: no policy has a fingerprint of constants alone; select the "
              "field that tells the operations apart"});
  CHECK(wrong("[{fingerprint: [{body: /key}]}]") ==
        Texts{"ends[0].fingerprint: names no operation: no policy of its namespace has a "
              "fingerprint of 1 field and a scope of 0 fields"});
  CHECK(wrong("[{fingerprint: [{body: /key}, {const: a}], namespace: q}]").size() == 1);
  CHECK(wrong("[{fingerprint: [{body: /key}, {const: a}], scope: [{header: x}]}]").size() == 1);
  CHECK(
      wrong("[{fingerprint: [{path: ride}, {const: a}]}]") ==
      Texts{"ends[0].fingerprint[0].path: the path captures nothing, so there is no `ride`; write "
            "{ride} into match.path"});
  std::string many;
  for (int i = 0; i < 17; ++i) {
    many += (i == 0 ? "" : ", ") + std::string("{fingerprint: [{body: /key}, {const: c") +
            std::to_string(i) + "}]}";
  }
  CHECK(wrong("[" + many + "]") == Texts{"ends: at most 16 operations end at once"});
}

TEST_CASE("An entry may name an operation of another policy") {
  CHECK(problems("policies:\n"
                 "- {name: a, match: {path: /a}, fingerprint: [{body: /id}], scope: shared}\n"
                 "- {name: b, match: {path: /b}, fingerprint: [{body: /x}, {body: /y}], "
                 "scope: [{header: k}], ends: [{fingerprint: [{body: /x}], namespace: a, "
                 "scope: shared}]}\n") == Texts{});
}

TEST_CASE("Ends belong to the policy as a whole") {
  CHECK(policy_problems(two_fields +
                        "overrides: [{where: {body: /a, equals: b}, ends: [{fingerprint: [{body: "
                        "/key}, {const: a}]}]}]")
            .size() == 1);
}

}  // namespace
}  // namespace onceproxy::config
