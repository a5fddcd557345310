// Logs for backtest: any bytes are requests, or told why not, in the order of their lines; and how
// the bytes were split when they were read changes nothing.
#include <cstdint>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include "claim.hpp"
#include "proxy/cli/backtest/log_reader.hpp"
#include "proxy/cli/backtest/splitter.hpp"

using namespace onceproxy::backtest;

namespace {

void check_log(const std::string& text) {
  std::istringstream stream(text);
  Input input(stream);
  std::uint64_t line = 1;
  const auto read = read_log(input, [&](const LogItem& item) {
    claim(item.line >= line, "lines rise");
    line = item.line;
    if (item.request) {
      claim(!item.request->method.empty(), "a request has a method");
      claim(!item.request->target.empty(), "a request has a target");
      claim(item.request->duration.count() >= 0, "a request takes no time back");
    } else {
      claim(!item.request.error().empty(), "what is no request is told why");
    }
    return true;
  });
  claim(read || !read.error().message.empty(), "a broken log is told why");
}

using Pieces = std::vector<std::tuple<std::uint64_t, std::string, bool>>;

template <typename Kind>
Pieces split(std::string_view text, std::size_t chunk) {
  constexpr std::size_t bytes_max = 100;
  Kind splitter(bytes_max);
  Pieces out;
  const TakePiece take = [&](const Piece& piece) {
    claim(piece.text.size() <= bytes_max, "a piece keeps its bound");
    claim(!piece.too_long || piece.text.empty(), "what is too long is not held");
    out.emplace_back(piece.line, piece.text, piece.too_long);
  };
  for (; !text.empty(); text.remove_prefix(std::min(chunk, text.size()))) {
    splitter.feed(text.substr(0, chunk), take);
  }
  const auto problem = splitter.end(take);
  out.emplace_back(0, problem.value_or(""), problem.has_value());
  return out;
}

template <typename Kind>
void check_splitter(std::string_view text) {
  const Pieces whole = split<Kind>(text, text.size() + 1);
  for (const std::size_t chunk : {1, 2, 7}) {
    claim(split<Kind>(text, chunk) == whole, "chunks of any size give the same pieces");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  check_log(text);
  check_splitter<LineSplitter>(text);
  check_splitter<EntrySplitter>(text);
  return 0;
}
