#include "config/delivery_checks.hpp"

#include "loading.hpp"

namespace onceproxy::config {
namespace {

std::string two_policies(const std::string& first, const std::string& second) {
  const auto policy = [](const std::string& name, const std::string& listener) {
    return "- {name: " + name + ", match: {path: /" + name +
           "}, fingerprint: [{body: /id}], scope: shared, delivery: {listeners: [{name: a, " +
           listener + "}]}}\n";
  };
  return "policies:\n" + policy("p", first) + policy("q", second);
}

TEST_CASE("one name is one listener in all policies") {
  CHECK(problems(two_policies("address: \"h:1\", path: /p", "address: \"h:1\", path: /q")) ==
        Texts{});
  CHECK(problems(two_policies("address: \"h:1\"", "address: \"h:2\"")) ==
        Texts{"policies[1].delivery.listeners[0].name: `a` is another one in policies[0] (p); one "
              "name is one listener, with the same address, tls, max_concurrency and rate"});
  CHECK(problems(two_policies("address: \"h:1\"", "address: \"h:1\", max_concurrency: 1")).size() ==
        1);
  CHECK(problems(two_policies("address: \"h:1\"", "address: \"h:1\", tls: {}")).size() == 1);
}

}  // namespace
}  // namespace onceproxy::config
