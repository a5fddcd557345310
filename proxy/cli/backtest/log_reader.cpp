#include "proxy/cli/backtest/log_reader.hpp"

#include <memory>
#include <utility>
#include <vector>

#include "proxy/cli/backtest/har_entry.hpp"
#include "proxy/cli/backtest/json_line.hpp"
#include "proxy/cli/backtest/splitter.hpp"

namespace onceproxy::backtest {
namespace {

constexpr std::size_t chunk_bytes = std::size_t{256} * 1024;

/// HAR 1.2 allows one (section 2.1), and some programs write it into every text.
constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

using ReadPiece = tl::expected<LoggedRequest, std::string> (*)(std::string_view);

struct Format {
  std::unique_ptr<Splitter> splitter;
  ReadPiece read;
};

Format format_of(std::string_view beginning) {
  if (begins_like_har(beginning)) {
    return {std::make_unique<EntrySplitter>(piece_bytes_max), read_har_entry};
  }
  return {std::make_unique<LineSplitter>(piece_bytes_max), read_json_line};
}

LogItem item_of(const Piece& piece, ReadPiece read) {
  if (!piece.too_long) return {piece.line, read(piece.text)};
  const std::string limit = std::to_string(piece_bytes_max / 1024 / 1024) + " MiB";
  return {piece.line, tl::unexpected("it is longer than " + limit)};
}

}  // namespace

tl::expected<void, LogFailure> read_log(Input& input, const std::function<bool(LogItem)>& take) {
  bool wanted = true;
  Format format;
  const TakePiece take_piece = [&](const Piece& piece) {
    if (wanted) wanted = take(item_of(piece, format.read));
  };
  std::vector<char> buffer(chunk_bytes);
  while (wanted) {
    const auto chunk = input.read(buffer);
    if (!chunk) return tl::unexpected(LogFailure{true, chunk.error()});
    std::string_view text = *chunk;
    if (!format.splitter) {
      // The first chunk is as large as the buffer, or all there is.
      if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
      format = format_of(text);
    }
    if (!chunk->empty()) {
      format.splitter->feed(text, take_piece);
      continue;
    }
    if (auto broken = format.splitter->end(take_piece)) {
      return tl::unexpected(LogFailure{false, *std::move(broken)});
    }
    break;
  }
  return {};
}

}  // namespace onceproxy::backtest
