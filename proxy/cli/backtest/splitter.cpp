#include "proxy/cli/backtest/splitter.hpp"

#include <algorithm>

namespace onceproxy::backtest {
namespace {

constexpr std::string_view white_space = " \t\r\n";
/// Depths within HAR: the members of the document, of `log`, and the entries themselves.
constexpr std::size_t document_depth = 1;
constexpr std::size_t log_depth = 2;
constexpr std::size_t entries_depth = 3;
/// Longer than any name that is looked for.
constexpr std::size_t name_bytes_max = 16;

}  // namespace

void LineSplitter::hand_on(std::string_view line, const TakePiece& take) {
  const bool empty = line.find_first_not_of(white_space) == std::string_view::npos;
  const bool too_long = too_long_ || line.size() > bytes_max_;
  if (too_long) {
    take({line_, "", true});
  } else if (!empty) {
    take({line_, line});
  }
  ++line_;
  too_long_ = false;
}

void LineSplitter::feed(std::string_view chunk, const TakePiece& take) {
  while (!chunk.empty()) {
    const std::size_t end = chunk.find('\n');
    const std::string_view line = chunk.substr(0, end);
    if (end != std::string_view::npos && begun_.empty()) {
      hand_on(line, take);
    } else {
      too_long_ = too_long_ || begun_.size() + line.size() > bytes_max_;
      if (too_long_)
        begun_ = std::string();
      else
        begun_.append(line);
      if (end == std::string_view::npos) return;
      hand_on(begun_, take);
      begun_.clear();
    }
    chunk.remove_prefix(end + 1);
  }
}

std::optional<std::string> LineSplitter::end(const TakePiece& take) {
  if (!begun_.empty() || too_long_) hand_on(begun_, take);
  begun_.clear();
  return std::nullopt;
}

void EntrySplitter::in_string(char c) {
  if (escaped_) {
    escaped_ = false;
  } else if (c == '\\') {
    escaped_ = true;
  } else if (c == '"') {
    in_string_ = false;
    return;
  }
  if (depth_ <= log_depth && string_.size() < name_bytes_max) string_ += c;
}

void EntrySplitter::open(char c) {
  ++depth_;
  const bool here = depth_ == entries_depth && outer_name_ == "log" && inner_name_ == "entries";
  if (here && c == '[') {
    in_entries_ = seen_entries_ = true;
  } else if (in_entries_ && depth_ == entries_depth + 1 && c == '{') {
    in_entry_ = true;
    entry_line_ = line_;
  }
}

void EntrySplitter::close(char c) {
  if (depth_ == 0) return;
  --depth_;
  if (in_entry_ && depth_ == entries_depth && c == '}') entry_ended_ = true;
  if (in_entries_ && depth_ < entries_depth) in_entries_ = false;
}

void EntrySplitter::outside(char c) {
  switch (c) {
    case '"':
      in_string_ = true;
      string_.clear();
      break;
    case ':':
      if (depth_ == document_depth) outer_name_ = string_;
      if (depth_ == log_depth) inner_name_ = string_;
      break;
    case '{':
    case '[':
      open(c);
      break;
    case '}':
    case ']':
      close(c);
      break;
    case '\n':
      ++line_;
      break;
    default:
      break;
  }
}

void EntrySplitter::feed(std::string_view chunk, const TakePiece& take) {
  // The position at which the current entry continues or begins in this chunk.
  std::size_t from = 0;
  const auto keep = [&](std::size_t to) {
    if (entry_.size() <= bytes_max_) entry_.append(chunk.substr(from, to - from));
  };
  for (std::size_t i = 0; i < chunk.size(); ++i) {
    if (in_string_) {
      in_string(chunk[i]);
      continue;
    }
    const bool was_in_entry = in_entry_;
    outside(chunk[i]);
    if (in_entry_ && !was_in_entry) from = i;
    if (!entry_ended_) continue;
    keep(i + 1);
    const bool too_long = entry_.size() > bytes_max_;
    take({entry_line_, too_long ? std::string_view() : std::string_view(entry_), too_long});
    if (too_long) entry_ = std::string();
    entry_.clear();
    in_entry_ = entry_ended_ = false;
  }
  if (in_entry_) keep(chunk.size());
}

std::optional<std::string> EntrySplitter::end(const TakePiece&) {
  if (!seen_entries_) return "it is HAR without log.entries";
  if (depth_ > 0 || in_string_) return "it breaks off: the document does not end";
  return std::nullopt;
}

bool begins_like_har(std::string_view text) {
  for (const std::string_view token : {"{", "\"log\"", ":", "{"}) {
    text.remove_prefix(std::min(text.find_first_not_of(white_space), text.size()));
    if (!text.starts_with(token)) return false;
    text.remove_prefix(token.size());
  }
  return true;
}

}  // namespace onceproxy::backtest
