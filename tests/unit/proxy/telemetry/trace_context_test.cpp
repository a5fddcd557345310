#include "proxy/telemetry/trace_context.hpp"

#include <catch2/catch.hpp>
#include <string>

namespace onceproxy::telemetry {
namespace {

constexpr std::string_view example = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

std::string with(std::size_t at, std::string_view text) {
  std::string changed(example);
  return changed.replace(at, text.size(), text);
}

std::string written(const TraceContext& context) {
  const auto text = write_traceparent(context);
  return {text.data(), text.size()};
}

}  // namespace

TEST_CASE("a traceparent of version 00 is read") {
  const auto context = parse_traceparent(example);
  REQUIRE(context);
  CHECK(context->trace == TraceId{0x4bf92f3577b34da6, 0xa3ce929d0e0e4736});
  CHECK(context->span == 0x00f067aa0ba902b7);
  CHECK(context->sampled);
  CHECK_FALSE(context->random);
}

TEST_CASE("a trace context is written as it was read, without unknown flags") {
  for (const auto& [flags, kept] : {std::pair{"00", "00"},
                                    {"01", "01"},
                                    {"02", "02"},
                                    {"03", "03"},
                                    {"ff", "03"},
                                    {"fc", "00"}}) {
    const auto context = parse_traceparent(with(53, flags));
    REQUIRE(context);
    CHECK(written(*context) == with(53, kept));
  }
}

TEST_CASE("a traceparent that is not exactly right is none") {
  const std::string whole(example);
  for (const std::string& bad : {std::string(),
                                 whole.substr(0, 54),
                                 whole + "-",
                                 whole + "-00",
                                 whole + "0",
                                 " " + whole,
                                 with(0, "ff"),
                                 with(0, "0A"),
                                 with(0, "g0"),
                                 with(2, "_"),
                                 with(35, "_"),
                                 with(52, "_"),
                                 with(3, "4BF92F3577B34DA6A3CE929D0E0E4736"),
                                 with(3, "00000000000000000000000000000000"),
                                 with(36, "0000000000000000"),
                                 with(36, "00f067aa0ba902bg"),
                                 with(53, "0x"),
                                 with(53, "-1"),
                                 with(53, "0A"),
                                 with(10, std::string_view("\0", 1))}) {
    INFO(bad);
    CHECK_FALSE(parse_traceparent(bad));
  }
}

TEST_CASE("a later version is read as far as 00 knows it") {
  CHECK(parse_traceparent(with(0, "01")));
  CHECK(parse_traceparent(with(0, "cc") + "-what-the-future-brings"));
  CHECK(parse_traceparent(with(0, "01") + "-"));
  CHECK_FALSE(parse_traceparent(with(0, "01") + "x"));
  CHECK_FALSE(parse_traceparent(with(0, "01") + ".what"));
  CHECK(written(*parse_traceparent(with(0, "cc") + "-x")) == example);
}

TEST_CASE("half an id may be zero") {
  CHECK(parse_traceparent(with(3, "0000000000000000")));
  CHECK(parse_traceparent(with(19, "0000000000000000")));
}

TEST_CASE("ids are written with all their digits") {
  std::string text;
  append_hex(text, TraceId{1, 0xab});
  CHECK(text == "000000000000000100000000000000ab");
  text.clear();
  append_hex(text, SpanId{0xc});
  CHECK(text == "000000000000000c");
}

TEST_CASE("a ratio takes its share by the last 56 bits of the trace") {
  const auto takes = [](double ratio, std::uint64_t low) {
    return SampleRatio(ratio).takes({0x1234, low});
  };
  constexpr std::uint64_t half = std::uint64_t{1} << 55;
  constexpr std::uint64_t first_byte = std::uint64_t{0xff} << 56;
  CHECK(takes(1, 0));
  CHECK(takes(1, ~std::uint64_t{0}));
  CHECK_FALSE(takes(0, 0));
  CHECK_FALSE(takes(0, ~std::uint64_t{0}));
  CHECK(takes(0.5, half));
  CHECK_FALSE(takes(0.5, half - 1));
  CHECK_FALSE(takes(0.5, first_byte | (half - 1)));
  CHECK(takes(0.25, half + half / 2));
  CHECK_FALSE(takes(0.25, half + half / 2 - 1));
}

TEST_CASE("a trace that a small share takes, a larger one takes too") {
  const SampleRatio small(0.1);
  const SampleRatio large(0.6);
  int of_small = 0;
  int of_large = 0;
  std::uint64_t low = 1;
  for (int i = 0; i < 10'000; ++i) {
    low = low * 6364136223846793005ULL + 1442695040888963407ULL;
    const TraceId trace{1, low >> 8};
    of_small += small.takes(trace) ? 1 : 0;
    of_large += large.takes(trace) ? 1 : 0;
    if (small.takes(trace)) REQUIRE(large.takes(trace));
  }
  CHECK(of_small == Approx(1'000).margin(150));
  CHECK(of_large == Approx(6'000).margin(250));
}

}  // namespace onceproxy::telemetry
