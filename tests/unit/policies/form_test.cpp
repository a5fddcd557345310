#include "policies/form.hpp"

#include <catch2/catch.hpp>

using namespace onceproxy::policies;
using Values = std::vector<std::string>;

TEST_CASE("values are decoded and kept in order") {
  struct Case {
    std::string text;
    std::string name;
    Values values;
  };
  const Case cases[] = {
      {"a=1", "a", {"1"}},
      {"a=1&b=2&a=3", "a", {"1", "3"}},
      {"a=1&b=2", "c", {}},
      {"", "a", {}},
      {"a", "a", {""}},
      {"a=", "a", {""}},
      {"a==b", "a", {"=b"}},
      {"&&a=1&", "a", {"1"}},
      {"=x", "", {"x"}},
      {"&", "", {}},
      {"a=x+y%20z%2B", "a", {"x y z+"}},
      {"%61%5b%5D=1", "a[]", {"1"}},
      {"a+b=1", "a b", {"1"}},
      {"a=%", "a", {"%"}},
      {"a=%4", "a", {"%4"}},
      {"a=%zz%41", "a", {"%zzA"}},
      {"a=%00", "a", {std::string(1, '\0')}},
      {"A=1", "a", {}},
      {"ab=1", "a", {}},
      {"a=1;b=2", "a", {"1;b=2"}},
  };
  for (const Case& c : cases) {
    INFO(c.text << " " << c.name);
    CHECK(form_values(c.text, c.name) == c.values);
  }
}

TEST_CASE("a form is compared by its decoded pairs, in order") {
  const auto form = [](std::string_view text) {
    std::string out;
    append_form(text, {}, out);
    return out;
  };
  CHECK(form("a=1&b=x+y%2B") == R"([["a","1"],["b","x y+"]])");
  CHECK(form("%61=%31&&b=x%20y%2b&") == form("a=1&b=x+y%2B"));
  CHECK(form("\xEF\xBB\xBF"
             "a=1&b=x+y%2B") == form("a=1&b=x+y%2B"));
  CHECK(form("b=x+y%2B&a=1") != form("a=1&b=x+y%2B"));
  CHECK(form("a&b=") == R"([["a",""],["b",""]])");
  CHECK(form("a=%22%5D%5D") == R"([["a","\"]]"]])");
  CHECK(form("") == "[]");
  CHECK(form("&") == "[]");
}

TEST_CASE("a form is compared without the names that are left out") {
  const std::vector<std::vector<std::string>> except{{"sentAt"}, {"meta", "id"}, {"b"}};
  std::string out;
  append_form("sentAt=1&a=1&b=2&meta=3&sent%41t=4&b=5", except, out);
  CHECK(out == R"([["a","1"],["meta","3"]])");
  out.clear();
  append_form("b=1", except, out);
  CHECK(out == "[]");
}
