#include "config/environment.hpp"

#include "loading.hpp"

namespace onceproxy::config {
namespace {

std::string substituted(const std::string& text, const Variables& variables = {}) {
  const auto result = substitute(text, environment_of(variables));
  return result ? result->text : "! " + result.error();
}

TEST_CASE("A variable is put in wherever it stands in a scalar") {
  CHECK(substituted("a ${X} b ${Y}${X}", {{"X", "1"}, {"Y", "2"}}) == "a 1 b 21");
  CHECK(substituted("plain $X $ {X}") == "plain $X $ {X}");
}

TEST_CASE("A default stands in for a variable that is unset or empty, as in a shell") {
  CHECK(substituted("${X:-a:1}") == "a:1");
  CHECK(substituted("${X:-}") == "");
  CHECK(substituted("${X:-a}", {{"X", ""}}) == "a");
  CHECK(substituted("${X:-a}", {{"X", "b"}}) == "b");
  CHECK(substituted("[${X}]", {{"X", ""}}) == "[]");
}

TEST_CASE("An unset variable without a default is an error that names it") {
  CHECK(substituted("${PORT}") ==
        "! the environment variable PORT is not set; set it, or give a default: ${PORT:-…}");
  CHECK(problems("workers: ${N}") ==
        Texts{"workers: the environment variable N is not set; set it, or give a default: "
              "${N:-…}"});
}

TEST_CASE("$${ is a literal ${") {
  CHECK(substituted("$${X} $$ ${X}", {{"X", "1"}}) == "${X} $$ 1");
}

TEST_CASE("A variable's value is not looked into again") {
  CHECK(substituted("${X}", {{"X", "${Y}"}}) == "${Y}");
}

TEST_CASE("Text that is not a valid variable is refused with the correct form") {
  CHECK(
      substituted("${}") ==
      "! \"\" is not a variable name; write ${NAME} or ${NAME:-default}, and $${ for a literal ${");
  CHECK(substituted("${1A}").substr(0, 6) == "! \"1A\"");
  CHECK(substituted("${A-b}").substr(0, 7) == "! \"A-b\"");
  CHECK(substituted("${A") == "! ${ without }; write $${ for a literal ${");
  CHECK(substituted("${A:-${B}}") == "! the default of ${A:-…} may not hold another variable");
}

TEST_CASE("A value cannot become YAML") {
  CHECK(problems("log: {level: \"${X}\"}", {{"X", "info}\npolicies: []\nworkers: 7"}}) ==
        Texts{"log.level: expected trace, debug, info, warn or error, found "
              "\"info}\\npolicies: []\\nworkers: 7\""});
  CHECK(loaded("workers: \"${X}\"", {{"X", "3"}}).workers == 3);
}

TEST_CASE("A number may come out of a variable, quoted or not") {
  CHECK(loaded("workers: ${N}", {{"N", "5"}}).workers == 5);
  CHECK(loaded("workers: \"${N}\"", {{"N", "6"}}).workers == 6);
  CHECK(loaded("workers: ${N:-7}").workers == 7);
  CHECK(problems("workers: ${N}", {{"N", "five"}}) ==
        Texts{"workers: expected a whole number, found \"five\""});
}

TEST_CASE("Bytes that no file may hold come through no variable either") {
  CHECK(policy_problems("fingerprint: [{const: \"\\x07\"}, {body: /a}]") ==
        Texts{"fingerprint[0].const: \"\\x07\" has a control character"});
  const auto settings = problems("store: {rocksdb: {path: \"${P}\"}}", {{"P", "/a\xff"}});
  CHECK(settings == Texts{"store.rocksdb.path: \"/a\\xff\" is not UTF-8"});
}

TEST_CASE("Keys may hold variables too, and a broken one is reported once") {
  CHECK(loaded("\"${K}\": 4", {{"K", "workers"}}).workers == 4);
  CHECK(problems("\"${K}\": 4") ==
        Texts{"the environment variable K is not set; set it, or give a default: ${K:-…}"});
}

}  // namespace
}  // namespace onceproxy::config
