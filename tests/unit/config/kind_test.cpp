#include "config/kind.hpp"

#include "loading.hpp"

namespace onceproxy::config {
namespace {

TEST_CASE("A misspelt key says what was meant, and is not also missing") {
  CHECK(problems_in("listn: a:0\nupstream: {adress: \"a:1\"}\n") ==
        Texts{"listn: unknown key \"listn\"; did you mean \"listen\"?",
              "upstream.adress: unknown key \"adress\"; did you mean \"address\"?"});
  CHECK(policy_problems("on-duplicate: replay") ==
        Texts{"on-duplicate: unknown key \"on-duplicate\"; did you mean \"on_duplicate\"?"});
}

TEST_CASE("A key from elsewhere says where it belongs") {
  CHECK(problems("lease: 5s") ==
        Texts{"lease: unknown key \"lease\"; `lease` belongs in a policy or an override: "
              "check the indentation"});
  CHECK(problems("max_connections: 5") ==
        Texts{"max_connections: unknown key \"max_connections\"; `max_connections` belongs in "
              "upstream: check the indentation"});
  CHECK(problems("idle_timeout: 5s") ==
        Texts{"idle_timeout: unknown key \"idle_timeout\"; `idle_timeout` belongs in upstream or "
              "limits: check the indentation"});
  CHECK(policy_problems("scope: [{client_key: k}]") ==
        Texts{"scope[0].client_key: unknown key \"client_key\"; `client_key` belongs in a selector "
              "of a fingerprint"});
}

TEST_CASE("A key misspelt in the wrong place says both") {
  CHECK(problems("respnse_timeout: 5s") ==
        Texts{"respnse_timeout: unknown key \"respnse_timeout\"; did you mean "
              "\"response_timeout\", which belongs in upstream?"});
}

TEST_CASE("Half a key names the whole ones") {
  CHECK(problems_in("listen: a:0\nupstream: {address: \"a:1\", timeout: 5s}\n") ==
        Texts{"upstream.timeout: unknown key \"timeout\"; did you mean \"connect_timeout\", "
              "\"response_timeout\", \"idle_timeout\", \"keepalive_timeout\" or "
              "\"abandoned_timeout\"?"});
}

TEST_CASE("A key that is like no other lists what is known") {
  CHECK(problems("log: {zzzzzzzz: 1}") ==
        Texts{"log.zzzzzzzz: unknown key \"zzzzzzzz\"; known here: level, format, access_format or "
              "capture"});
  CHECK(problems("log: {level:info}") ==
        Texts{"log.level:info: unknown key \"level:info\"; a space is missing after the colon"});
}

TEST_CASE("A value of the wrong shape says what it is") {
  CHECK(problems("log: [a]") == Texts{"log: expected a map, found a list"});
  CHECK(problems("policies: {a: b}") ==
        Texts{"policies: expected a list of policies, found a map"});
  CHECK(problems("policies:") == Texts{"policies: expected a list of policies, found nothing"});
  CHECK(problems("workers: {a: b}") == Texts{"workers: expected a whole number, found a map"});
}

}  // namespace
}  // namespace onceproxy::config
