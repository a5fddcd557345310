#include "config/indentation.hpp"

#include "loading.hpp"

namespace onceproxy::config {
namespace {

/// What is said of the file's line 3 and on, behind the head.
Texts said(const std::string& yaml) {
  return problems(yaml);
}

const std::string wrong = "the indentation is wrong: this line is indented by ";

TEST_CASE("A line that is indented too far is told as such") {
  const auto begins = [](const Texts& texts, const std::string& text) {
    return texts.size() == 1 && texts[0].starts_with(text);
  };
  CHECK(begins(said("limits:\n  head_bytes: 1KiB\n    headers: 10\n"), wrong + "4 spaces, but"));
  CHECK(begins(said("policies:\n  - name: x\n      match: {path: /a}\n"),
               wrong + "6 spaces, but the entry above it by 4 spaces"));
  CHECK(begins(said(" workers: 1\n"), wrong + "1 space, but the entry above it by 0 spaces"));
}

TEST_CASE("A line that fits none of those above it names their columns") {
  CHECK(said("limits:\n    head_bytes: 1KiB\n  headers: 10\n") ==
        Texts{wrong + "2 spaces, but the maps and lists above it by 0 or 4"});
  CHECK(said("policies:\n  - name: x\n   lease: 1s\n") ==
        Texts{wrong + "3 spaces, but the maps and lists above it by 0, 2 or 4"});
}

TEST_CASE("A key in the column of a list's dash is told as such") {
  CHECK(said("policies:\n  - name: x\n  lease: 1s\n") ==
        Texts{wrong +
              "2 spaces, like the - of the list above it; the keys of an item are indented further "
              "than its -"});
}

TEST_CASE("An item in the column of keys is told as such") {
  CHECK(said("policies:\n- name: x\nworkers: 1\n- name: y\n") ==
        Texts{wrong +
              "0 spaces, like the keys of the map above it; an item of a list begins in the column "
              "of the other items"});
}

TEST_CASE("A key that stands a level too high or too low is told to be indented otherwise") {
  CHECK(said("match:\n  path: /a\n") ==
        Texts{"match: unknown key \"match\"; `match` belongs in a policy: check the indentation"});
  CHECK(policy_problems("match:\n  path: /a\n  lease: 1s\n") ==
        Texts{"match.lease: unknown key \"lease\"; `lease` belongs in a policy or an override: "
              "check the indentation"});
  CHECK(said("log:\n") ==
        Texts{"log: expected a map, found nothing; its keys are indented below it"});
}

TEST_CASE("Other errors of syntax are not reported as wrong indentation") {
  CHECK(said("log: {level: a: b}\n").at(0).find("indentation is wrong") == std::string::npos);
  CHECK(said("limits:\n  # a comment\n\n  headers: 10\n") == Texts{});
  CHECK(said("policies: [\n").at(0).find("not closed") != std::string::npos);
}

}  // namespace
}  // namespace onceproxy::config
