#include "store/record.hpp"

#include <catch2/catch.hpp>

#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

WallTime at(std::int64_t milliseconds) {
  return WallTime(std::chrono::milliseconds(milliseconds));
}

Record sample() {
  Record record;
  record.state = Record::State::completed;
  record.payload = payload(7);
  record.nonce.fill(9);
  record.fence = 0x0102030405060708;
  record.attempt = 3;
  record.created = at(1'000);
  record.lease_ends = at(2'000);
  record.expires = at(3'000);
  record.settled = at(1'500);
  record.policy = "dispatch";
  record.request_id = "id";
  record.error = "timeout";
  record.path = "/v1/rides/42/dispatch";
  record.entity_type = "ride";
  record.entity_id = "42";
  record.hold = true;
  record.answer = {201, "a: b\r\n", std::string("bo\0dy", 5), true};
  return record;
}

std::string from_hex(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    out.push_back(static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
  }
  return out;
}

/// From the fence to the payload, as all of the records below have it.
const std::string middle =
    "030000000807060504030201e803000000000000d007000000000000dc05000000000000"
    "09090909090909090909090909090909"
    "0707070707070707070707070707070707070707070707070707070707070707"
    "086469737061746368026964";

}  // namespace

TEST_CASE("a record comes back as it was written") {
  const std::optional<Record> read = decode(encode(sample()));
  REQUIRE(read);
  CHECK(read->state == Record::State::completed);
  CHECK(read->payload == payload(7));
  CHECK(read->nonce == sample().nonce);
  CHECK(read->fence == 0x0102030405060708);
  CHECK(read->attempt == 3);
  CHECK(read->created == at(1'000));
  CHECK(read->lease_ends == at(2'000));
  CHECK(read->expires == at(3'000));
  CHECK(read->settled == at(1'500));
  CHECK(read->policy == "dispatch");
  CHECK(read->request_id == "id");
  CHECK(read->error == "timeout");
  CHECK(read->path == "/v1/rides/42/dispatch");
  CHECK(read->entity_type == "ride");
  CHECK(read->entity_id == "42");
  CHECK(read->hold);
  CHECK(read->answer.status == 201);
  CHECK(read->answer.head == "a: b\r\n");
  CHECK(read->answer.body == std::string("bo\0dy", 5));
  CHECK(read->answer.replayable);
  CHECK_FALSE(read->answer_apart);
}

TEST_CASE("where a request stood in its trace is kept, and costs nothing where it stood nowhere") {
  Record record = sample();
  const std::string plain = encode(record);
  CHECK(decode(plain)->trace.empty());
  record.trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  const std::string traced = encode(record);
  CHECK(traced.size() == plain.size() + record.trace.size());
  REQUIRE(decode(traced));
  CHECK(decode(traced)->trace == record.trace);
  CHECK(decode(traced)->answer.body == record.answer.body);
  CHECK(decode_expiry(traced) == at(3'000));
  std::string later = traced;
  later[0] = 4;
  CHECK_FALSE(decode(later));
  CHECK_FALSE(decode_expiry(later));
}

TEST_CASE("a record without a payload differs from one with a payload of zeros") {
  Record record = sample();
  record.payload.reset();
  CHECK_FALSE(decode(encode(record))->payload.has_value());
  record.payload = payload(0);
  CHECK(decode(encode(record))->payload.has_value());
}

TEST_CASE("the bytes of a record are the grammar's") {
  Record record;
  record.expires = at(0x0102);
  record.policy = "p";
  const std::string bytes = encode(record);
  CHECK(bytes.substr(0, 11) == std::string("\x03\x02\x01\0\0\0\0\0\0\x01\x02", 11));
  CHECK(bytes.size() == 1 + 8 + 1 + 1 + 2 + 4 + 8 + 3 * 8 + 16 + 2 + 1 + 1 + 1 + 1 + 3 + 4 + 4);
}

TEST_CASE("records of earlier versions are read, byte for byte as they wrote them") {
  const auto unknown =
      decode(from_hex("01b80b0000000000000303"
                      "0000" +
                      middle + "0774696d656f75740000000000000000"));
  REQUIRE(unknown);
  CHECK(unknown->state == Record::State::unknown);
  REQUIRE(unknown->payload);
  CHECK(unknown->payload->view() == std::string(32, '\x07'));
  CHECK(unknown->fence == 0x0102030405060708);
  CHECK(unknown->attempt == 3);
  CHECK(unknown->created == at(1'000));
  CHECK(unknown->expires == at(3'000));
  CHECK(unknown->settled == at(1'500));
  CHECK(unknown->policy == "dispatch");
  CHECK(unknown->request_id == "id");
  CHECK(unknown->error == "timeout");
  CHECK(unknown->path.empty());
  CHECK(unknown->entity_type.empty());
  CHECK_FALSE(unknown->hold);

  const auto traced = decode(from_hex(
      "02b80b0000000000000203c900" + middle +
      "003730302d34626639326633353737623334646136613363653932396430653065343733362d30306630363761"
      "6130626139303262372d303106000000613a20620d0a04000000626f6479"));
  REQUIRE(traced);
  CHECK(traced->state == Record::State::completed);
  CHECK(traced->trace == "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
  CHECK(traced->answer.status == 201);
  CHECK(traced->answer.head == "a: b\r\n");
  CHECK(traced->answer.body == "body");
  CHECK(traced->answer.replayable);
}

TEST_CASE("records of earlier versions show whether an operator completed them") {
  const std::string end = "000000000000000000";
  const auto resolved = decode(from_hex("01b80b00000000000002010000" + middle + end));
  REQUIRE(resolved);
  CHECK_FALSE(resolved->answer.replayable);
  CHECK(resolved->answer.not_kept == NotKept::resolved);
  const auto large = decode(from_hex("01b80b0000000000000201c800" + middle + end));
  REQUIRE(large);
  CHECK_FALSE(large->answer.replayable);
  CHECK(large->answer.not_kept == NotKept::too_large);
}

TEST_CASE("a flag of a later version is refused in an earlier one") {
  CHECK_FALSE(decode(from_hex("01b80b00000000000002090000" + middle + "000000000000000000")));
}

TEST_CASE("why there is no answer to give again is kept") {
  Record record = sample();
  record.answer = {200, "", "", false};
  for (const NotKept why : {NotKept::too_large, NotKept::stream, NotKept::crowded,
                            NotKept::unwanted, NotKept::resolved}) {
    record.answer.not_kept = why;
    const auto read = decode(encode(record));
    REQUIRE(read);
    CHECK_FALSE(read->answer.replayable);
    CHECK(read->answer.not_kept == why);
  }
}

TEST_CASE("a record cut short anywhere is refused") {
  const std::string bytes = encode(sample());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK_FALSE(decode(std::string_view(bytes).substr(0, size)));
  }
}

TEST_CASE("bytes left over, another version, unknown states and flags are refused") {
  const std::string good = encode(sample());
  CHECK_FALSE(decode(good + "x"));
  for (const auto& [offset, value] : {std::pair<std::size_t, char>{0, 4},
                                      {9, 0},
                                      {9, 4},
                                      {10, 16},
                                      {10, static_cast<char>(0x80)}}) {
    std::string bad = good;
    bad[offset] = value;
    CHECK_FALSE(decode(bad));
  }
}

TEST_CASE("texts for operators are cut to their bounds") {
  Record record = sample();
  record.policy = std::string(100, 'p');
  record.request_id = std::string(300, 'r');
  record.error = std::string(300, 'e');
  record.path = std::string(300, '/');
  record.entity_type = std::string(300, 't');
  record.entity_id = std::string(300, 'i');
  const auto read = decode(encode(record));
  REQUIRE(read);
  CHECK(read->policy == std::string(63, 'p'));
  CHECK(read->request_id == std::string(255, 'r'));
  CHECK(read->error == std::string(255, 'e'));
  CHECK(read->path == std::string(255, '/'));
  CHECK(read->entity_type == std::string(63, 't'));
  CHECK(read->entity_id == std::string(255, 'i'));
}

TEST_CASE("the expiry is read without the rest") {
  CHECK(decode_expiry(encode(sample())) == at(3'000));
  CHECK_FALSE(decode_expiry("\x01"));
  CHECK_FALSE(decode_expiry(std::string("\x04") + std::string(20, '\0')));
}

TEST_CASE("an answer apart leaves the record small and is found by fingerprint, expiry and nonce") {
  Record record = sample();
  record.answer_apart = true;
  const auto read = decode(encode(record));
  REQUIRE(read);
  CHECK(read->answer_apart);
  CHECK(read->answer.head.empty());
  CHECK(read->answer.body.empty());
  const std::string key = answer_key(fingerprint(1), record);
  CHECK(answer_key_expiry(key) == at(3'000));
  CHECK_FALSE(answer_key_expiry(key + "x"));
  CHECK(key == answer_key(fingerprint(1), *read));
  CHECK(key != answer_key(fingerprint(2), record));
  record.nonce.fill(1);
  CHECK(key != answer_key(fingerprint(1), record));

  StoredAnswer answer;
  CHECK(decode_answer(encode_answer(sample().answer), answer));
  CHECK(answer.head == "a: b\r\n");
  CHECK(answer.body == std::string("bo\0dy", 5));
  CHECK_FALSE(decode_answer("\x01", answer));
}
