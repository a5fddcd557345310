#include "proxy/cli/backtest/splitter.hpp"

#include <catch2/catch.hpp>
#include <optional>

namespace onceproxy::backtest {
namespace {

struct Split {
  /// "line:text", or "line:too long".
  std::vector<std::string> pieces;
  std::optional<std::string> broken;

  bool operator==(const Split& other) const {
    return pieces == other.pieces && broken == other.broken;
  }
};

Split split(Splitter& splitter, std::string_view text, std::size_t chunk) {
  Split out;
  const TakePiece take = [&](const Piece& piece) {
    out.pieces.push_back(std::to_string(piece.line) + ":" +
                         (piece.too_long ? "too long" : std::string(piece.text)));
  };
  for (std::size_t at = 0; at < text.size(); at += chunk) {
    splitter.feed(text.substr(at, chunk), take);
  }
  out.broken = splitter.end(take);
  return out;
}

/// The same, however the text is cut into chunks.
template <typename Kind>
Split split(std::string_view text, std::size_t bytes_max = 100) {
  Kind whole(bytes_max);
  const Split expected = split(whole, text, text.size() + 1);
  for (std::size_t chunk = 1; chunk < text.size(); ++chunk) {
    Kind cut(bytes_max);
    INFO("chunks of " << chunk);
    CHECK(split(cut, text, chunk) == expected);
  }
  return expected;
}

using Pieces = std::vector<std::string>;

TEST_CASE("lines come one by one with their numbers, the empty ones left out") {
  const Split lines = split<LineSplitter>("a\nbb\r\n\n  \n\nccc\nlast");
  CHECK(lines.pieces == Pieces{"1:a", "2:bb\r", "6:ccc", "7:last"});
  CHECK_FALSE(lines.broken);
  CHECK(split<LineSplitter>("a\n").pieces == Pieces{"1:a"});
  CHECK(split<LineSplitter>("").pieces.empty());
}

TEST_CASE("a line that is too long is told and left out") {
  const Split lines = split<LineSplitter>(
      "a\n" + std::string(11, 'x') + "\nb\n" + std::string(10, 'y') + "\n" + std::string(30, 'z'),
      10);
  CHECK(lines.pieces == Pieces{"1:a", "2:too long", "3:b", "4:yyyyyyyyyy", "5:too long"});
}

TEST_CASE("the entries of a HAR file come one by one") {
  const Split entries = split<EntrySplitter>(R"({"log": {"version": "1.2",
 "pages": [{"id": "entries"}, {"entries": [{"no": 1}]}],
 "entries": [{"a": {"b": [1, {}]}},
  {"text": "}]\"{[\\"}, 7,
  {}],
 "browser": {"entries": [{"no": 2}]}}, "entries": [{"no": 3}]})");
  CHECK(entries.pieces ==
        Pieces{R"(3:{"a": {"b": [1, {}]}})", R"(4:{"text": "}]\"{[\\"})", "5:{}"});
  CHECK_FALSE(entries.broken);
}

TEST_CASE("an entry that is too long is told and left out") {
  const Split entries =
      split<EntrySplitter>(R"({"log":{"entries":[{"a":1},{"b":"0123456789"},{"c":2}]}})", 12);
  CHECK(entries.pieces == Pieces{R"(1:{"a":1})", "1:too long", R"(1:{"c":2})"});
}

TEST_CASE("a HAR file that breaks off is told") {
  const Split cut = split<EntrySplitter>(R"({"log":{"entries":[{"a":1},{"b":)");
  CHECK(cut.pieces == Pieces{R"(1:{"a":1})"});
  CHECK(cut.broken == "it breaks off: the document does not end");
  CHECK(split<EntrySplitter>(R"({"log":{"pages":[]}})").broken == "it is HAR without log.entries");
  CHECK(split<EntrySplitter>(R"({"log":{"entries":[]},"x":"never closed)").broken);
  CHECK(split<EntrySplitter>("]]}}").broken);
}

TEST_CASE("HAR is known by its first member") {
  CHECK(begins_like_har(R"({"log":{"version")"));
  CHECK(begins_like_har(" {\r\n  \"log\" : {"));
  CHECK_FALSE(begins_like_har(R"({"time":1,"log":{}})"));
  CHECK_FALSE(begins_like_har(R"({"log":"a line of one"})"));
  CHECK_FALSE(begins_like_har(""));
  CHECK_FALSE(begins_like_har("{"));
}

}  // namespace
}  // namespace onceproxy::backtest
