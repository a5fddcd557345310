// Report: what a backtest found, as a table for people and as JSON for programs. Plain values.
#pragma once

#include <array>
#include <cstdint>
#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "proxy/cli/backtest/moment.hpp"
#include "proxy/gate/decision.hpp"

namespace onceproxy::backtest {

using Decisions = std::array<std::uint64_t, gate::decision_count>;

struct PolicyCount {
  std::string name;
  Decisions decisions{};
  /// Requests by the selected field that they lack; a request may lack several.
  std::map<std::string, std::uint64_t> missing = {};
  /// It covers by header fields, which a log may not have.
  bool asks_for_headers = false;

  std::uint64_t requests() const;
};

/// A line, or an entry of HAR, that is not a request.
struct BadLine {
  std::uint64_t line = 0;
  std::string why;
};

struct Report {
  static constexpr std::size_t bad_lines_shown = 5;

  std::string log;
  /// Of the first and the last request.
  std::optional<Moment> from;
  std::optional<Moment> to;
  std::uint64_t requests = 0;
  std::vector<PolicyCount> policies;
  /// Requests that no policy covers.
  std::uint64_t uncovered = 0;
  /// Requests that the data port refuses before any policy.
  std::uint64_t bad_requests = 0;
  /// Covered ones whose answer the log does not tell; they count as completed.
  std::uint64_t without_status = 0;
  /// Requests with header fields, and those whose bodies the log left out.
  std::uint64_t with_headers = 0;
  std::uint64_t bodies_left_out = 0;
  /// Requests that are older than one before them, and the furthest that one was.
  std::uint64_t out_of_order = 0;
  std::chrono::microseconds out_of_order_max{0};
  std::uint64_t bad_lines = 0;
  /// The first few of them.
  std::vector<BadLine> first_bad_lines;
  /// Why it ended before the log did; empty if it did not.
  std::string broke_off;
};

void print_table(const Report& report, std::ostream& out);
/// One object on one line.
void print_json(const Report& report, std::ostream& out);

}  // namespace onceproxy::backtest
