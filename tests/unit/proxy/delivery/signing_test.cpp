#include "proxy/delivery/signing.hpp"

#include <catch2/catch.hpp>

namespace onceproxy::delivery {
namespace {

using Catch::Matchers::Contains;

/// The example of the Standard Webhooks libraries.
constexpr std::string_view key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
constexpr std::string_view id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
constexpr std::int64_t timestamp = 1614265330;
constexpr std::string_view body = R"({"test": 2432232314})";
constexpr std::string_view signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

TEST_CASE("A signature is the one of the specification's example", "[signing]") {
  const auto keys = SigningKeys::read(key);
  REQUIRE(keys);
  CHECK(keys->sign(id, timestamp, body) == signature);
}

TEST_CASE("Each key of a file signs, so that a key can be replaced", "[signing]") {
  const std::string text = std::string(key) + "\n\n  whsec_" + std::string(44, 'A') + " \r\n";
  const auto keys = SigningKeys::read(text);
  REQUIRE(keys);
  const std::string both = keys->sign(id, timestamp, body);
  CHECK(both.starts_with(std::string(signature) + " v1,"));
  CHECK(both.size() == 2 * signature.size() + 1);
}

TEST_CASE("What is no key is refused with its line, and not repeated", "[signing]") {
  struct Case {
    std::string text;
    std::string error;
  };
  const Case cases[] = {
      {"", "there is no key"},
      {"\n \n", "there is no key"},
      {"secret", "line 1 does not begin with whsec_"},
      {std::string(key) + "\nwhsec_!!!!", "line 2 is not base64"},
      {"whsec_c2hvcnQ=", "5 bytes"},
      {"whsec_" + std::string(88, 'A'), "66 bytes"},
  };
  for (const Case& each : cases) {
    const auto keys = SigningKeys::read(each.text);
    REQUIRE_FALSE(keys);
    CHECK_THAT(keys.error(), Contains(each.error));
    CHECK_THAT(keys.error(), !Contains("secret"));
  }
}

}  // namespace
}  // namespace onceproxy::delivery
