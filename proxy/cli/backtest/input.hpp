// Input: the bytes of a log, from a file or from a stream, a piece at a time; those of a gzip file
// are decompressed. Not thread-safe.
#pragma once

#include <cstdint>
#include <cstdio>
#include <iosfwd>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "proxy/cli/backtest/gunzip.hpp"

namespace onceproxy::backtest {

class Input {
 public:
  /// Whatever `in` still holds. It must outlive the input.
  explicit Input(std::istream& in) : stream_(&in) {}
  /// The error is a sentence that names the file and the system's own reason.
  static tl::expected<Input, std::string> open(const std::string& path);

  /// Fills the beginning of `buffer` and views it; empty at the end. The error is as with open().
  tl::expected<std::string_view, std::string> read(std::span<char> buffer);

  /// Of a regular file, as it lies there; so are the bytes that were read.
  std::optional<std::uint64_t> size() const { return size_; }
  std::uint64_t bytes_read() const { return bytes_read_; }

 private:
  struct Close {
    void operator()(std::FILE* file) const { (void)std::fclose(file); }
  };

  Input() = default;
  std::string failure() const;
  tl::expected<std::string_view, std::string> read_raw(std::span<char> buffer);
  tl::expected<std::string_view, std::string> read_gzip(std::span<char> buffer);

  std::istream* stream_ = nullptr;
  std::unique_ptr<std::FILE, Close> file_;
  std::string path_;
  std::optional<std::uint64_t> size_;
  std::uint64_t bytes_read_ = 0;
  bool begun_ = false;
  /// nullptr: the log is not compressed.
  std::unique_ptr<Gunzip> gunzip_;
  std::vector<char> compressed_;
  /// What of it is left.
  std::string_view rest_;
};

}  // namespace onceproxy::backtest
