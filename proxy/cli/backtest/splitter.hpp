// Splitters: from a log's bytes, in chunks of any size, to the texts of its single requests. They
// hold no more than one of those, and of one that is longer than `bytes_max` nothing. They do not
// look into the texts. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace onceproxy::backtest {

/// One request's text.
struct Piece {
  /// Where it begins in the log, from 1.
  std::uint64_t line = 0;
  /// Valid during the call only.
  std::string_view text;
  /// It is longer than the bound; `text` is empty.
  bool too_long = false;
};
using TakePiece = std::function<void(const Piece&)>;

class Splitter {
 public:
  virtual ~Splitter() = default;
  virtual void feed(std::string_view chunk, const TakePiece& take) = 0;
  /// The log has ended. What is wrong with it as a whole, in words; nothing if it is whole.
  virtual std::optional<std::string> end(const TakePiece& take) = 0;
};

/// Lines, the empty ones left out.
class LineSplitter : public Splitter {
 public:
  explicit LineSplitter(std::size_t bytes_max) : bytes_max_(bytes_max) {}
  void feed(std::string_view chunk, const TakePiece& take) override;
  std::optional<std::string> end(const TakePiece& take) override;

 private:
  void hand_on(std::string_view line, const TakePiece& take);

  const std::size_t bytes_max_;
  std::uint64_t line_ = 1;
  /// The beginning of a line that the chunk broke off.
  std::string begun_;
  bool too_long_ = false;
};

/// The objects of `log.entries` in a JSON document, wherever in `log` the member stands.
class EntrySplitter : public Splitter {
 public:
  explicit EntrySplitter(std::size_t bytes_max) : bytes_max_(bytes_max) {}
  void feed(std::string_view chunk, const TakePiece& take) override;
  std::optional<std::string> end(const TakePiece& take) override;

 private:
  void in_string(char c);
  void outside(char c);
  void open(char c);
  void close(char c);

  const std::size_t bytes_max_;
  std::uint64_t line_ = 1;
  /// Arrays and objects within each other.
  std::size_t depth_ = 0;
  bool in_string_ = false;
  bool escaped_ = false;
  /// The beginning of the last string at the depths where names matter, and the names that it was.
  std::string string_;
  std::string outer_name_;
  std::string inner_name_;

  bool in_entries_ = false;
  bool seen_entries_ = false;
  /// Whether the bytes belong to an entry, and how the last one changed that.
  bool in_entry_ = false;
  bool entry_ended_ = false;
  std::string entry_;
  std::uint64_t entry_line_ = 0;
};

/// Whether a document that begins so is HAR: an object whose first member is the object `log`.
/// Some four dozen bytes are enough to tell.
bool begins_like_har(std::string_view text);

}  // namespace onceproxy::backtest
