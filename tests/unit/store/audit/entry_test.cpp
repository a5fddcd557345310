#include "store/audit/entry.hpp"

#include <catch2/catch.hpp>
#include <random>

#include "audit_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

template <typename Entry>
Entry read_back(const std::string& bytes) {
  const auto found = frame(bytes);
  REQUIRE(found);
  CHECK(found->bytes.size() == bytes.size());
  const auto entry = decode(*found);
  REQUIRE(entry);
  REQUIRE(std::holds_alternative<Entry>(*entry));
  return std::get<Entry>(*entry);
}

std::string from_hex(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 2) {
    out.push_back(static_cast<char>(std::stoi(std::string(text.substr(i, 2)), nullptr, 16)));
  }
  return out;
}

void check(const Subject& subject, std::string_view path, std::string_view type,
           std::string_view id) {
  CHECK(subject.path == path);
  CHECK(subject.entity_type == type);
  CHECK(subject.entity_id == id);
}

/// One of each kind.
std::vector<std::string> samples() {
  AuditForward full = forward(7, at(1'000));
  full.trace_id = "0af7651916cd43dd8448eb211c80319c";
  AuditRefusal bare;
  bare.time = at(3'000);
  bare.decision = "missing-key";
  return {bytes_of(full),
          bytes_of(ending(7, at(2'000), AuditEnding::How::unknown, 504, "timeout")),
          bytes_of(refusal(7, at(3'000))),
          bytes_of(bare),
          bytes_of(AuditAction{at(4'000), "PATCH", "/policies/dispatch/enforcement", "{}",
                               "127.0.0.1:1"}),
          bytes_of(AuditStart{at(5'000)}),
          bytes_of(AuditFile{at(6'000)})};
}

}  // namespace

TEST_CASE("a forward comes back as it was written") {
  AuditForward entry = forward(7, at(-1));
  entry.attempt = 3;
  entry.trace_id = "0af7651916cd43dd8448eb211c80319c";
  entry.subject = {"/v1/rides/42", "ride", "42"};
  const std::string bytes = bytes_of(entry);
  const auto read = read_back<AuditForward>(bytes);
  check(read.subject, "/v1/rides/42", "ride", "42");
  CHECK(read.time == at(-1));
  CHECK(read.fence == 7);
  CHECK(read.attempt == 3);
  CHECK(read.fingerprint == fingerprint(7));
  CHECK(read.policy == "dispatch");
  CHECK(read.request_id == entry.request_id);
  CHECK(read.trace_id == entry.trace_id);
}

TEST_CASE("an ending comes back as it was written") {
  const std::string bytes =
      bytes_of(ending(1ULL << 63, at(2'000), AuditEnding::How::released, 599, "refused"));
  const auto read = read_back<AuditEnding>(bytes);
  CHECK(read.time == at(2'000));
  CHECK(read.fence == 1ULL << 63);
  CHECK(read.how == AuditEnding::How::released);
  CHECK(read.status == 599);
  CHECK(read.error == "refused");
}

TEST_CASE("a refusal comes back with its fingerprint and without one") {
  AuditRefusal entry = refusal(9, at(3'000), "passed");
  entry.shadow = "replayed";
  entry.trace_id = "t";
  entry.subject = {"/v1/rides/42", "ride", "42"};
  entry.error = "missing: body: /driver_id";
  const std::string bytes = bytes_of(entry);
  const auto read = read_back<AuditRefusal>(bytes);
  CHECK(read.fingerprint == fingerprint(9));
  CHECK(read.decision == "passed");
  CHECK(read.shadow == "replayed");
  CHECK(read.policy == "dispatch");
  CHECK(read.request_id == "r");
  CHECK(read.trace_id == "t");
  check(read.subject, "/v1/rides/42", "ride", "42");
  CHECK(read.error == "missing: body: /driver_id");

  entry.fingerprint.reset();
  const std::string without = bytes_of(entry);
  CHECK_FALSE(read_back<AuditRefusal>(without).fingerprint);
}

TEST_CASE("an operator's action comes back as it was written") {
  const std::string bytes = bytes_of(AuditAction{at(4'000),
                                                 "POST",
                                                 "/records/ab/release",
                                                 "detail",
                                                 "unix",
                                                 422,
                                                 "dispatch",
                                                 {"/v1/rides/42", "ride", "42"}});
  const auto read = read_back<AuditAction>(bytes);
  CHECK(read.action == "POST");
  CHECK(read.target == "/records/ab/release");
  CHECK(read.policy == "dispatch");
  check(read.subject, "/v1/rides/42", "ride", "42");
  CHECK(read.detail == "detail");
  CHECK(read.status == 422);
  CHECK(read.from == "unix");
}

TEST_CASE("texts of an entry are cut to their bounds, and the entry to its own") {
  const std::string much(100'000, 'x');
  AuditForward entry = forward(1, at(0));
  entry.policy = entry.request_id = entry.trace_id = much;
  entry.subject = {much, much, much};
  const std::string bytes = bytes_of(entry);
  const auto read = read_back<AuditForward>(bytes);
  CHECK(read.policy.size() == 63);
  CHECK(read.request_id.size() == 255);
  CHECK(read.trace_id.size() == 32);
  CHECK(read.subject.path.size() == path_bytes_max);
  CHECK(read.subject.entity_type.size() == entity_type_bytes_max);
  CHECK(read.subject.entity_id.size() == entity_id_bytes_max);
  AuditRefusal refused = refusal(1, at(0));
  refused.decision = refused.shadow = refused.policy = refused.request_id = much;
  refused.trace_id = refused.error = much;
  refused.subject = {much, much, much};
  const std::string long_refusal = bytes_of(refused);
  CHECK(long_refusal.size() <= audit_entry_bytes_max);
  CHECK(read_back<AuditRefusal>(long_refusal).error.size() == 255);
  const std::string action =
      bytes_of(AuditAction{at(0), much, much, much, much, 0, much, {much, much, much}});
  CHECK(action.size() <= audit_entry_bytes_max);
  CHECK(read_back<AuditAction>(action).detail.size() == 1'024);
}

TEST_CASE("entries of earlier versions are read, byte for byte as they wrote them") {
  Fingerprint name;
  name.bytes.fill(0x11);
  const std::string sent = from_hex(
      "420001fe63462691e803000000000000070000000000000011111111111111111111111111111111111111111111"
      "11111111111111111111020000000864697370617463680269640174");
  const auto forwarded = read_back<AuditForward>(sent);
  CHECK(forwarded.time == at(1'000));
  CHECK(forwarded.fence == 7);
  CHECK(forwarded.fingerprint == name);
  CHECK(frame(sent)->is_of(name));
  CHECK(frame(sent)->fence() == 7);
  CHECK(forwarded.attempt == 2);
  CHECK(forwarded.policy == "dispatch");
  CHECK(forwarded.request_id == "id");
  CHECK(forwarded.trace_id == "t");
  check(forwarded.subject, "", "", "");

  const std::string ended = from_hex("150002e66de7b58ad007000000000000070000000000000001c9000165");
  CHECK(read_back<AuditEnding>(ended).status == 201);

  const std::string refused = from_hex(
      "41000395f9373875b80b000000000000011111111111111111111111111111111111111111111111111111111111"
      "1"
      "11111087265706c61796564000864697370617463680269640174");
  const auto refusal = read_back<AuditRefusal>(refused);
  CHECK(refusal.time == at(3'000));
  CHECK(refusal.fingerprint == name);
  CHECK(frame(refused)->is_of(name));
  CHECK(refusal.decision == "replayed");
  CHECK(refusal.policy == "dispatch");
  CHECK(refusal.trace_id == "t");
  CHECK(refusal.error.empty());
  check(refusal.subject, "", "", "");

  const std::string acted =
      from_hex("1f0004d20a416600a00f00000000000004504f5354072f72656c6f616401006404756e6978c800");
  const auto action = read_back<AuditAction>(acted);
  CHECK(action.action == "POST");
  CHECK(action.target == "/reload");
  CHECK(action.from == "unix");
  CHECK(action.status == 200);
  CHECK(action.policy.empty());

  CHECK(read_back<AuditStart>(from_hex("0800056479d060da8813000000000000")).time == at(5'000));
}

TEST_CASE("an entry cut short is none") {
  for (const std::string& bytes : samples()) {
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      CHECK_FALSE(frame(std::string_view(bytes).substr(0, size)));
    }
  }
}

TEST_CASE("an entry with any bit turned is refused") {
  for (const std::string& bytes : samples()) {
    for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
      std::string damaged = bytes;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ 1 << bit % 8);
      const auto found = frame(damaged);
      const bool read = found && decode(*found);
      CHECK_FALSE(read);
    }
  }
}

TEST_CASE("zeros are no entry") {
  CHECK_FALSE(frame(std::string(64, '\0')));
}

TEST_CASE("searches find time, fence and fingerprint where the codec writes them") {
  const std::string sent = bytes_of(forward(7, at(1'000)));
  CHECK(frame(sent)->time() == at(1'000));
  CHECK(frame(sent)->fence() == 7);
  CHECK(frame(sent)->is_of(fingerprint(7)));
  CHECK_FALSE(frame(sent)->is_of(fingerprint(8)));
  const std::string ended = bytes_of(ending(8, at(2'000)));
  CHECK(frame(ended)->fence() == 8);
  const std::string refused = bytes_of(refusal(9, at(3'000)));
  CHECK(frame(refused)->is_of(fingerprint(9)));
  CHECK_FALSE(frame(refused)->is_of(fingerprint(7)));
  AuditRefusal bare;
  const std::string nameless = bytes_of(bare);
  CHECK_FALSE(frame(nameless)->is_of(fingerprint(9)));
}

TEST_CASE("decoding never reads outside the given bytes") {
  // Content that passes for an entry's up to its sum: what a reader trusts least.
  std::mt19937_64 random(GENERATE(1, 2, 3));
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = samples()[random() % 7];
    // A heap block of its own size: a sanitizer sees a byte too many.
    bytes.resize(random() % (bytes.size() + 1));
    for (std::size_t change = random() % 4; change > 0 && !bytes.empty(); --change) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    const std::vector<char> block(bytes.begin(), bytes.end());
    const auto found = frame({block.data(), block.size()});
    if (!found) continue;
    found->time();
    found->fence();
    found->is_of(fingerprint(1));
    decode(*found);
    CHECK(found->bytes.size() <= block.size());
  }
}
