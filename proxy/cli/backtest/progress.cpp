#include "proxy/cli/backtest/progress.hpp"

#include <algorithm>
#include <ostream>

namespace onceproxy::backtest {
namespace {

constexpr std::uint64_t bar_width = 30;
constexpr std::uint64_t calls_per_look = 1024;
constexpr std::chrono::milliseconds draw_every{100};
constexpr const char* clear_line = "\r\x1b[K";

}  // namespace

std::string progress_text(std::uint64_t bytes, std::optional<std::uint64_t> total,
                          std::uint64_t requests) {
  const std::string count = std::to_string(requests) + " requests";
  if (!total || *total == 0) return count;
  // A file may grow while it is read. No log is so large that this overflows.
  const std::uint64_t percent = std::min<std::uint64_t>(bytes * 100 / *total, 100);
  const auto full = static_cast<std::size_t>(percent * bar_width / 100);
  std::string line = "[" + std::string(full, '#') + std::string(bar_width - full, ' ') + "] ";
  const std::string number = std::to_string(percent);
  return line + std::string(3 - number.size(), ' ') + number + "% " + count;
}

Progress::~Progress() {
  if (drawn_) out_ << clear_line << std::flush;
}

void Progress::show(std::uint64_t bytes, std::uint64_t requests) {
  if (!terminal_ || ++calls_ % calls_per_look != 1) return;
  const auto now = std::chrono::steady_clock::now();
  if (drawn_ && now - *drawn_ < draw_every) return;
  drawn_ = now;
  out_ << clear_line << progress_text(bytes, total_, requests) << std::flush;
}

}  // namespace onceproxy::backtest
