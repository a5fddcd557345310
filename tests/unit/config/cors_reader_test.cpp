#include "config/cors_reader.hpp"

#include "loading.hpp"

namespace onceproxy::config {
namespace {

using namespace std::chrono_literals;

policies::Cors read(const std::string& cors) {
  const Settings settings = loaded("cors: " + cors);
  REQUIRE(settings.cors);
  return *settings.cors;
}

Texts wrong(const std::string& cors) {
  return problems("cors: " + cors);
}

TEST_CASE("Without cors there is none, and each of its keys has a default but origins") {
  CHECK_FALSE(loaded("").cors);
  const auto cors = read("{origins: [\"https://a.example\", \"http://localhost:3000\"]}");
  CHECK(cors.origins == Texts{"https://a.example", "http://localhost:3000"});
  CHECK_FALSE(cors.any);
  CHECK_FALSE(cors.credentials);
  CHECK(cors.expose.empty());
  CHECK(cors.max_age == 10min);
  CHECK(wrong("{}") == Texts{"cors: `origins` is missing"});
}

TEST_CASE("Every key of cors is taken") {
  const auto cors = read(
      "{origins: [\"https://a.example:8443\", \"https://[::1]:1\", \"capacitor://localhost\"], "
      "credentials: true, expose: [X-Total, link], max_age: 90s}");
  CHECK(cors.origins.size() == 3);
  CHECK(cors.credentials);
  CHECK(cors.expose == Texts{"X-Total", "link"});
  CHECK(cors.max_age == 90s);
  CHECK(read("{origins: any}").any);
  CHECK(read("{origins: any}").origins.empty());
  CHECK(read("{origins: any, max_age: 0}").max_age == 0s);
}

TEST_CASE("A policy may have rules of its own") {
  const auto policy = loaded_policy("cors: {origins: [\"https://b.example\"]}");
  REQUIRE(policy.cors);
  CHECK(policy.cors->origins == Texts{"https://b.example"});
  CHECK_FALSE(loaded_policy("").cors);
}

TEST_CASE("An origin that no browser sends is refused, and the one that was meant is told") {
  const auto about = [](const std::string& origin) {
    return wrong("{origins: [\"" + origin + "\"]}");
  };
  CHECK(about("https://A.example/") ==
        Texts{"cors.origins[0]: \"https://A.example/\" never comes in this form: browsers write "
              "\"https://a.example\""});
  CHECK(about("https://a.example:443") ==
        Texts{"cors.origins[0]: \"https://a.example:443\" never comes in this form: browsers write "
              "\"https://a.example\""});
  CHECK(about("http://a.example:80/app?x") ==
        Texts{"cors.origins[0]: \"http://a.example:80/app?x\" never comes in this form: browsers "
              "write \"http://a.example\""});
  for (const char* origin : {"a.example", "*", "null", "any", "https://", "https://*.a.example",
                             "://a", "https://a b", "https://a:x"}) {
    CAPTURE(origin);
    CHECK(about(origin).size() == 1);
  }
  CHECK(about("*")[0].ends_with("write origins: any instead of the list"));
  CHECK(wrong("{origins: []}").size() == 1);
  CHECK(wrong("{origins: https://a.example}").size() == 1);
}

TEST_CASE("Every page in the world cannot act with credentials") {
  const Texts found = wrong("{origins: any, credentials: true}");
  REQUIRE(found.size() == 1);
  CHECK(found[0].starts_with("cors.credentials: with origins: any, every page"));
  CHECK(wrong("{origins: any, credentials: false}").empty());
}

TEST_CASE("CORS fields and times that are not valid are refused") {
  CHECK(wrong("{origins: any, expose: [\"*\"]}").size() == 1);
  CHECK(wrong("{origins: any, expose: [\"a b\"]}").size() == 1);
  CHECK(wrong("{origins: any, max_age: 25h}").size() == 1);
}

}  // namespace
}  // namespace onceproxy::config
