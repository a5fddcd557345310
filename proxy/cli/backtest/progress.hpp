// Progress: one line on a terminal that says how far a long command has come. Not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>

namespace onceproxy::backtest {

/// The line, without what moves the cursor: a bar and a percentage if the whole is known.
std::string progress_text(std::uint64_t bytes, std::optional<std::uint64_t> total,
                          std::uint64_t requests);

class Progress {
 public:
  /// Nothing is ever written if `terminal` is false.
  Progress(std::ostream& out, bool terminal, std::optional<std::uint64_t> total)
      : out_(out), terminal_(terminal), total_(total) {}
  /// Takes the line away.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Cheap; draws a few times a second at most.
  void show(std::uint64_t bytes, std::uint64_t requests);

 private:
  std::ostream& out_;
  const bool terminal_;
  const std::optional<std::uint64_t> total_;
  std::uint64_t calls_ = 0;
  std::optional<std::chrono::steady_clock::time_point> drawn_;
};

}  // namespace onceproxy::backtest
