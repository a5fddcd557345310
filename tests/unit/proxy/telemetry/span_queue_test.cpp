#include "proxy/telemetry/span_queue.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <thread>

namespace onceproxy::telemetry {
namespace {

using namespace std::chrono_literals;

SpanBatch batch_of(std::string json, std::uint64_t spans = 1) {
  return {std::move(json), spans};
}

bool hand_over(SpanQueue& queue, std::string json) {
  SpanBatch batch = batch_of(std::move(json));
  return queue.hand_over(batch);
}

}  // namespace

TEST_CASE("batches are joined in order, up to the size that is asked for") {
  SpanQueue queue(100);
  for (const char* json : {"1,", "2,", "3,"}) REQUIRE(hand_over(queue, json));
  SpanBatch out;
  REQUIRE(queue.take(out, 4, 0ms));
  CHECK(out.json == "1,2,");
  CHECK(out.spans == 2);
  REQUIRE(queue.take(out, 4, 0ms));
  CHECK(out.json == "3,");
  CHECK(out.spans == 1);
}

TEST_CASE("a batch larger than what is asked for goes alone") {
  SpanQueue queue(100);
  REQUIRE(hand_over(queue, "12345678,"));
  REQUIRE(hand_over(queue, "9,"));
  SpanBatch out;
  REQUIRE(queue.take(out, 4, 0ms));
  CHECK(out.json == "12345678,");
}

TEST_CASE("spans that do not fit are refused until the batch that was taken is done") {
  SpanQueue queue(10);
  REQUIRE(hand_over(queue, "123456,"));
  CHECK_FALSE(queue.full());
  CHECK_FALSE(hand_over(queue, "1234,"));
  CHECK(queue.full());
  SpanBatch out;
  REQUIRE(queue.take(out, 1, 0ms));
  CHECK_FALSE(hand_over(queue, "1234,"));
  queue.taken_care_of(out);
  CHECK_FALSE(queue.full());
  CHECK(hand_over(queue, "1234,"));
}

TEST_CASE("a batch too large for an empty queue does not close it for others") {
  SpanQueue queue(4);
  CHECK_FALSE(hand_over(queue, "12345,"));
  CHECK_FALSE(queue.full());
  CHECK(hand_over(queue, "1,"));
}

TEST_CASE("a batch is empty after it was handed over, accepted or not") {
  SpanQueue queue(4);
  for (int i = 0; i < 2; ++i) {
    SpanBatch batch = batch_of("123,", 3);
    queue.hand_over(batch);
    CHECK(batch.json.empty());
    CHECK(batch.spans == 0);
  }
}

TEST_CASE("enough spans end the wait for more of them") {
  SpanQueue queue(100);
  SpanBatch out;
  bool taken = false;
  std::thread taker([&] { taken = queue.take(out, 4, 1h); });
  REQUIRE(hand_over(queue, "1,"));
  REQUIRE(hand_over(queue, "2,"));
  taker.join();
  CHECK(taken);
  CHECK(out.json == "1,2,");
}

TEST_CASE("a closed queue gives what it has at once, then nothing, and takes nothing") {
  SpanQueue queue(100);
  SpanBatch out;
  REQUIRE(hand_over(queue, "1,"));
  bool taken = false;
  std::thread taker([&] { taken = queue.take(out, 50, 1h); });
  queue.close();
  taker.join();
  CHECK(taken);
  CHECK(out.json == "1,");
  CHECK(queue.full());
  CHECK_FALSE(hand_over(queue, "2,"));
  CHECK_FALSE(queue.take(out, 50, 1h));
}

}  // namespace onceproxy::telemetry
