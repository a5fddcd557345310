#include "proxy/gate/cors.hpp"

#include <catch2/catch.hpp>

namespace onceproxy::gate {
namespace {

using policies::Cors;

Cors rules() {
  Cors cors;
  cors.origins = {"https://a.example", "https://b.example"};
  return cors;
}

std::string head_for(const Cors& cors, std::string_view origin, std::string head = "") {
  Answer answer{409, std::move(head), "", false};
  let_read(answer, cors, origin);
  return answer.head;
}

constexpr std::string_view expose =
    "Access-Control-Expose-Headers: Idempotent-Replayed, Retry-After, Onceproxy-Decision, "
    "x-request-id";

TEST_CASE("an answer can be read by pages of an origin that is allowed, and by no other") {
  CHECK(head_for(rules(), "https://b.example", "Retry-After: 1\r\n") ==
        "Retry-After: 1\r\nVary: Origin\r\nAccess-Control-Allow-Origin: https://b.example\r\n" +
            std::string(expose) + "\r\n");
  for (const char* origin : {"", "https://c.example", "https://a.example.evil", "null",
                             "https://a.exampl", "http://a.example", "https://A.example"}) {
    CAPTURE(origin);
    CHECK(head_for(rules(), origin) == "Vary: Origin\r\n");
  }
}

TEST_CASE("with any origin each is told its own") {
  Cors cors;
  cors.any = true;
  CHECK(head_for(cors, "null").find("Allow-Origin: null\r\n") != std::string::npos);
  CHECK(head_for(cors, "") == "Vary: Origin\r\n");
}

TEST_CASE("credentials and further fields are allowed where the rules say so") {
  Cors cors = rules();
  cors.credentials = true;
  cors.expose = {"X-Total"};
  CHECK(head_for(cors, "https://a.example") ==
        "Vary: Origin\r\nAccess-Control-Allow-Origin: https://a.example\r\n"
        "Access-Control-Allow-Credentials: true\r\n" +
            std::string(expose) + ", X-Total\r\n");
}

TEST_CASE("CORS fields of the answer itself are replaced, so that none appears twice") {
  Cors cors = rules();
  cors.credentials = true;
  const std::string head = head_for(
      cors, "https://a.example",
      "access-control-allow-origin: *\r\nVary: accept, ORIGIN\r\nAccess-Control-Expose-Headers: "
      "X-Own\r\nAccess-Control-Allow-Credentials: true\r\n");
  CHECK(head ==
        "Vary: accept, ORIGIN\r\nAccess-Control-Expose-Headers: X-Own\r\n"
        "Access-Control-Allow-Origin: https://a.example\r\n"
        "Access-Control-Allow-Credentials: true\r\n" +
            std::string(expose) + "\r\n");
  // Of an origin that the rules do not name nothing is known.
  const std::string own = "access-control-allow-origin: *\r\n";
  CHECK(head_for(cors, "https://c.example", own) == own + "Vary: Origin\r\n");
}

TEST_CASE("a preflight is allowed what it asks, where its origin is allowed") {
  Cors cors = rules();
  constexpr std::string_view vary =
      "Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers\r\n";
  const Answer answer =
      answer_preflight(cors, {"https://a.example", "PUT", "content-type,idempotency-key"});
  CHECK(answer.status == 204);
  CHECK(answer.head == std::string(vary) +
                           "Access-Control-Allow-Origin: https://a.example\r\n"
                           "Access-Control-Allow-Methods: PUT\r\n"
                           "Access-Control-Allow-Headers: content-type,idempotency-key\r\n"
                           "Access-Control-Max-Age: 600\r\n");
  CHECK(answer.body.empty());
  cors.credentials = true;
  cors.max_age = std::chrono::seconds(5);
  CHECK(answer_preflight(cors, {"https://a.example", "POST", ""}).head ==
        std::string(vary) +
            "Access-Control-Allow-Origin: https://a.example\r\n"
            "Access-Control-Allow-Credentials: true\r\n"
            "Access-Control-Allow-Methods: POST\r\nAccess-Control-Max-Age: 5\r\n");
  const Answer refused = answer_preflight(cors, {"https://c.example", "POST", ""});
  CHECK(refused.status == 403);
  CHECK(refused.head.find("Access-Control-Allow") == std::string::npos);
  CHECK(refused.head.find("Vary: Origin") != std::string::npos);
}

}  // namespace
}  // namespace onceproxy::gate
