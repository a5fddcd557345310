// Output: writes bytes to a shared descriptor whose reader may have stopped.
//
// It never makes the descriptor non-blocking, since that flag belongs to the open file and
// therefore to every process that shares it (such as a terminal's shell). Instead it calls poll(2)
// first and writes no more than a writable pipe or terminal accepts at once.
//
// Thread-safety: used by one thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <string_view>

namespace onceproxy::telemetry {

class Output {
 public:
  enum class Result {
    written,
    /// It was not writable in time; try again.
    waiting,
    /// The descriptor accepts nothing now (closed, disk full): `text` will not be written.
    failed,
  };

  explicit Output(int descriptor);

  /// Writes the beginning of `text`, waiting at most `wait`, and removes what was written.
  /// `written` means that some bytes were written, not necessarily all.
  Result write(std::string_view& text, std::chrono::milliseconds wait);

 private:
  int descriptor_;
  bool socket_;
  /// How many bytes may be written after one poll without blocking.
  std::size_t chunk_bytes_max_;
};

}  // namespace onceproxy::telemetry
