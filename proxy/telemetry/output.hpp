// Output: bytes to a descriptor that is shared and whose reader may have stopped.
//
// It never makes the descriptor non-blocking, since that flag belongs to the open file and thereby
// to every process that shares it (a terminal's shell, for one). Instead it asks poll(2) first and
// writes no more than a pipe or terminal that polls as writable takes at once.
//
// Thread-safety: belongs to one thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>

namespace onceproxy::telemetry {

class Output {
 public:
  enum class Result {
    written,
    /// Not writable within the time given; try again.
    waiting,
    /// The descriptor takes nothing more now (closed, disk full): `text` will not be written.
    failed,
  };

  explicit Output(int descriptor);

  /// Writes the beginning of `text`, waiting up to `wait`, and takes off it what was written.
  /// `written` says some was, not that all was.
  Result write(std::string_view& text, std::chrono::milliseconds wait);

 private:
  int descriptor_;
  bool socket_;
  /// How much may be written after one poll without blocking.
  std::size_t chunk_bytes_max_;
};

}  // namespace onceproxy::telemetry
