#include "proxy/inject/patch.hpp"

#include <catch2/catch.hpp>
#include <string>

namespace onceproxy::inject {
namespace {

TEST_CASE("a ConfigMap's name is a DNS subdomain") {
  const std::string longest(253, 'a');
  for (const std::string& name : {std::string("a"), std::string("orders-1.shop"), std::string("0"),
                                  std::string("a--b"), longest}) {
    CHECK(is_object_name(name));
  }
  for (const std::string& name :
       {std::string(), std::string("-a"), std::string("a-"), std::string("a."), std::string(".a"),
        std::string("a..b"), std::string("a.-b"), std::string("a-.b"), std::string("A"),
        std::string("a_b"), std::string("a/b"), std::string("a b"), longest + "a"}) {
    CHECK_FALSE(is_object_name(name));
  }
}

}  // namespace
}  // namespace onceproxy::inject
