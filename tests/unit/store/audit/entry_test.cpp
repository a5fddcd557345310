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
          bytes_of(AuditStart{at(5'000)})};
}

}  // namespace

TEST_CASE("a forward comes back as it was written") {
  AuditForward entry = forward(7, at(-1));
  entry.attempt = 3;
  entry.trace_id = "0af7651916cd43dd8448eb211c80319c";
  const std::string bytes = bytes_of(entry);
  const auto read = read_back<AuditForward>(bytes);
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
  const std::string bytes = bytes_of(entry);
  const auto read = read_back<AuditRefusal>(bytes);
  CHECK(read.fingerprint == fingerprint(9));
  CHECK(read.decision == "passed");
  CHECK(read.shadow == "replayed");
  CHECK(read.policy == "dispatch");
  CHECK(read.request_id == "r");
  CHECK(read.trace_id == "t");

  entry.fingerprint.reset();
  const std::string without = bytes_of(entry);
  CHECK_FALSE(read_back<AuditRefusal>(without).fingerprint);
}

TEST_CASE("an operator's action comes back as it was written") {
  const std::string bytes =
      bytes_of(AuditAction{at(4'000), "POST", "/reload", "detail", "unix", 422});
  const auto read = read_back<AuditAction>(bytes);
  CHECK(read.action == "POST");
  CHECK(read.target == "/reload");
  CHECK(read.detail == "detail");
  CHECK(read.status == 422);
  CHECK(read.from == "unix");
}

TEST_CASE("texts of an entry are cut to their bounds, and the entry to its own") {
  const std::string much(100'000, 'x');
  AuditForward entry = forward(1, at(0));
  entry.policy = entry.request_id = entry.trace_id = much;
  const std::string bytes = bytes_of(entry);
  const auto read = read_back<AuditForward>(bytes);
  CHECK(read.policy.size() == 63);
  CHECK(read.request_id.size() == 255);
  CHECK(read.trace_id.size() == 32);
  const std::string action = bytes_of(AuditAction{at(0), much, much, much, much});
  CHECK(action.size() <= audit_entry_bytes_max);
  CHECK(read_back<AuditAction>(action).detail.size() == 1'024);
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

TEST_CASE("what a search looks at before it decodes is where the codec puts it") {
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

TEST_CASE("whatever bytes are decoded, nothing outside them is read") {
  // Content that passes for an entry's up to its sum: what a reader trusts least.
  std::mt19937_64 random(GENERATE(1, 2, 3));
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = samples()[random() % 6];
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
