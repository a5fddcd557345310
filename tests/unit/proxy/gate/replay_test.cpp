#include "proxy/gate/replay.hpp"

#include <catch2/catch.hpp>

#include "../../policies/request.hpp"

namespace onceproxy::gate {
namespace {

using namespace std::string_literals;
using policies::Source;
using policies::test::Request;

/// {"id":1,"result":"ok"}
const std::string zipped(
    "\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\x03\xab\x56\xca\x4c\x51\xb2\x32\xd4\x51\x2a\x4a\x2d"
    "\x2e\xcd\x29\x51\xb2\x52\xca\xcf\x56\xaa\x05\x00\x6b\x8a\xd5\x6f\x16\x00\x00\x00",
    42);
const std::string plain = R"({"id":1,"result":"ok"})";

struct Asking {
  policies::ReplayRules rules;
  Request request;

  Answer replay(std::string head, std::string body, int status = 201) {
    const policies::Match match;
    const policies::RequestView view = request.view();
    policies::Document document(view, request.body, 1 << 20);
    return gate::replay({status, std::move(head), std::move(body), true}, rules,
                        {match, view, document});
  }

  void set(const std::string& at, policies::Selector from) {
    rules.set.push_back({*policies::parse_pointer(at), at, std::move(from)});
  }
};

const std::string mark = "Idempotent-Replayed: true\r\n";

TEST_CASE("a replay is the stored answer, marked") {
  const Answer answer = Asking().replay("Content-Type: text/plain\r\nDate: x\r\n", "body\0\xff"s);
  CHECK(answer.status == 201);
  CHECK(answer.head == "Content-Type: text/plain\r\nDate: x\r\n" + mark);
  CHECK(answer.body == "body\0\xff"s);
  CHECK(answer.dated);
}

TEST_CASE("a replay has the id of the request that asks, not the first one's") {
  CHECK(Asking().replay("X-Request-Id: first\r\nX-A: 1\r\n", "").head == "X-A: 1\r\n" + mark);
}

TEST_CASE("an answer whose coding the request names is replayed as it is stored") {
  for (const char* accepted : {"gzip", "br, x-gzip;q=0.5", "*"}) {
    Asking asking;
    asking.request.headers = {{"Accept-Encoding", accepted}};
    const Answer answer = asking.replay("Content-Encoding: gzip\r\nETag: \"a\"\r\n", zipped);
    CHECK(answer.head == "Content-Encoding: gzip\r\nETag: \"a\"\r\n" + mark);
    CHECK(answer.body == zipped);
  }
}

TEST_CASE("an answer whose coding the request does not take is decoded") {
  for (const char* accepted : {"identity", "gzip;q=0", "br", ""}) {
    CAPTURE(accepted);
    Asking asking;
    asking.request.headers = {{"Accept-Encoding", accepted}};
    const Answer answer = asking.replay(
        "Content-Encoding: gzip\r\nVary: Origin, accept-encoding\r\nX-A: 1\r\n", zipped);
    CHECK(answer.head == "Vary: Origin, accept-encoding\r\nX-A: 1\r\n" + mark);
    CHECK(answer.body == plain);
  }
  // Who says nothing seldom can undo one: curl, most programs.
  CHECK(Asking().replay("Content-Encoding: gzip\r\n", zipped).head ==
        "Vary: Accept-Encoding\r\n" + mark);
}

TEST_CASE("fields that hold only for the stored bytes are dropped when the body is decoded") {
  const Answer answer = Asking().replay(
      "ETag: \"a\"\r\nContent-Digest: x\r\nContent-MD5: x\r\nDigest: x\r\nRepr-Digest: x\r\n"
      "Accept-Ranges: bytes\r\nContent-Encoding: gzip\r\n",
      zipped);
  CHECK(answer.head == "ETag: W/\"a\"\r\nVary: Accept-Encoding\r\n" + mark);
  CHECK(Asking().replay("ETag: W/\"a\"\r\nContent-Encoding: gzip\r\n", zipped).head ==
        "ETag: W/\"a\"\r\nVary: Accept-Encoding\r\n" + mark);
}

TEST_CASE("a body that cannot or must not be decoded is replayed as it is stored") {
  for (const std::string& head :
       {"Content-Encoding: br\r\n"s, "Content-Encoding: gzip, br\r\n"s,
        "Cache-Control: no-cache, no-transform\r\nContent-Encoding: gzip\r\n"s}) {
    CAPTURE(head);
    const Answer answer = Asking().replay(head, zipped);
    CHECK(answer.head == head + mark);
    CHECK(answer.body == zipped);
  }
  CHECK(Asking().replay("Content-Encoding: gzip\r\n", "no gzip").body == "no gzip");
  CHECK(Asking().replay("Content-Encoding: gzip\r\n", zipped, 206).body == zipped);
}

TEST_CASE("fields of CORS go to the origin they are for, and to no other") {
  const std::string foreign =
      "Access-Control-Allow-Origin: https://a.example\r\nVary: Origin\r\n"
      "Access-Control-Allow-Credentials: true\r\nAccess-Control-Expose-Headers: X-A\r\n";
  Asking asking;
  CHECK(asking.replay(foreign, "").head == "Vary: Origin\r\n" + mark);
  asking.request.headers = {{"Origin", "https://b.example"}};
  CHECK(asking.replay(foreign, "").head == "Vary: Origin\r\n" + mark);
  asking.request.headers = {{"Origin", "https://a.example"}};
  CHECK(asking.replay(foreign, "").head == foreign + mark);
  const std::string everybodys = "Access-Control-Allow-Origin: *\r\n";
  CHECK(asking.replay(everybodys, "").head == everybodys + mark);
  CHECK(Asking().replay(everybodys, "").head == everybodys + mark);
}

TEST_CASE("a value of the asking request stands in the answer that it gets") {
  Asking asking;
  asking.set("/id", policies::test::selector(Source::body, "/id"));
  const auto body = [&](const std::string& id, const std::string& stored) {
    asking.request.body = R"({"id":)" + id + "}";
    return asking.replay("Content-Type: application/json\r\n", stored).body;
  };
  CHECK(body("2", plain) == R"({"id":2,"result":"ok"})");
  CHECK(body("\"a\\\"\\u00e9\\ud83d\"", plain) ==
        "{\"id\":\"a\\\"\xC3\xA9\\ud83d\",\"result\":\"ok\"}");
  CHECK(body("null", "{ \"x\" : {\"id\":3}, \"id\" : [1, 2] }") ==
        "{ \"x\" : {\"id\":3}, \"id\" : null }");
  // Nothing to replace, or nothing to replace it by.
  CHECK(body("2", R"({"result":"ok"})") == R"({"result":"ok"})");
  CHECK(body("2", "no JSON, /id") == "no JSON, /id");
  CHECK(body("2", "") == "");
  asking.request.body = "{}";
  CHECK(asking.replay("", plain).body == plain);
}

TEST_CASE("several values are put, from whatever names them, and bytes that are no text are not") {
  Asking asking;
  asking.set("/id", policies::test::selector(Source::header, "x-id"));
  asking.set("/result", policies::test::selector(Source::constant, "mine"));
  asking.request.headers = {{"X-Id", "7"}};
  CHECK(asking.replay("", plain).body == R"({"id":"7","result":"mine"})");
  asking.request.headers = {{"X-Id", "\xff"}};
  CHECK(asking.replay("", plain).body == R"({"id":1,"result":"mine"})");
}

TEST_CASE("an encoded answer is decoded for a value to be put, whatever the request takes") {
  Asking asking;
  asking.set("/id", policies::test::selector(Source::constant, "mine"));
  asking.request.headers = {{"Accept-Encoding", "gzip"}};
  const Answer answer =
      asking.replay("Content-Encoding: gzip\r\nETag: \"a\"\r\nVary: *\r\n", zipped);
  CHECK(answer.body == R"({"id":"mine","result":"ok"})");
  CHECK(answer.head == "ETag: W/\"a\"\r\nVary: *\r\n" + mark);
}

}  // namespace
}  // namespace onceproxy::gate
