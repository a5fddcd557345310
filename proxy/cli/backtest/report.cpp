#include "proxy/cli/backtest/report.hpp"

#include <algorithm>
#include <numeric>
#include <ostream>

#include "proxy/telemetry/json.hpp"

namespace onceproxy::backtest {
namespace {

using gate::Decision;
using telemetry::Json;
using telemetry::JsonArray;
using telemetry::JsonObject;

constexpr std::string_view uncovered_name = "(no policy)";
constexpr std::string_view bad_request_name = "(bad request)";

Decision decision_at(std::size_t index) {
  return static_cast<Decision>(index);
}

std::string milliseconds_text(std::chrono::microseconds duration) {
  return std::to_string(std::chrono::ceil<std::chrono::milliseconds>(duration).count()) + " ms";
}

/// Rows of cells in columns: the first to the left, the others to the right.
class Table {
 public:
  void row(std::vector<std::string> cells) {
    widths_.resize(std::max(widths_.size(), cells.size()));
    for (std::size_t i = 0; i < cells.size(); ++i) {
      widths_[i] = std::max(widths_[i], cells[i].size());
    }
    rows_.push_back(std::move(cells));
  }

  void print(std::ostream& out) const {
    for (const auto& row : rows_) {
      std::string line;
      for (std::size_t i = 0; i < row.size(); ++i) {
        const std::string space(widths_[i] - row[i].size(), ' ');
        line += i == 0 ? row[i] + space : "  " + space + row[i];
      }
      line.resize(line.find_last_not_of(' ') + 1);
      out << line << "\n";
    }
  }

 private:
  std::vector<std::size_t> widths_;
  std::vector<std::vector<std::string>> rows_;
};

/// Those that some policy came to; `forwarded` in any case.
std::vector<Decision> columns(const Report& report) {
  std::vector<Decision> out;
  for (std::size_t i = 0; i < gate::decision_count; ++i) {
    const bool seen =
        std::any_of(report.policies.begin(), report.policies.end(),
                    [i](const PolicyCount& policy) { return policy.decisions[i] > 0; });
    if (seen || decision_at(i) == Decision::forwarded) out.push_back(decision_at(i));
  }
  return out;
}

void print_policies(const Report& report, std::ostream& out) {
  const std::vector<Decision> shown = columns(report);
  Table table;
  std::vector<std::string> head{"policy", "requests"};
  for (const Decision decision : shown) head.emplace_back(name(decision));
  table.row(std::move(head));
  for (const PolicyCount& policy : report.policies) {
    std::vector<std::string> cells{policy.name, std::to_string(policy.requests())};
    for (const Decision decision : shown) {
      const auto count = policy.decisions[static_cast<std::size_t>(decision)];
      cells.push_back(count > 0 ? std::to_string(count) : "-");
    }
    table.row(std::move(cells));
  }
  table.row({std::string(uncovered_name), std::to_string(report.uncovered)});
  if (report.bad_requests > 0) {
    table.row({std::string(bad_request_name), std::to_string(report.bad_requests)});
  }
  table.print(out);
}

/// The policies that cover nothing because the log has no header fields.
std::vector<std::string> blind_policies(const Report& report) {
  std::vector<std::string> names;
  if (report.with_headers > 0) return names;
  for (const PolicyCount& policy : report.policies) {
    if (policy.asks_for_headers) names.push_back(policy.name);
  }
  return names;
}

/// What the policies ask of requests and the log does not have.
void print_lacking(const Report& report, std::ostream& out) {
  for (const PolicyCount& policy : report.policies) {
    for (const auto& [selector, requests] : policy.missing) {
      out << "\n"
          << policy.name << ": " << selector << " is missing in " << requests << " of "
          << policy.requests() << " requests\n";
    }
  }
  for (const std::string& name : blind_policies(report)) {
    out << "\n" << name << ": match.headers holds for none, since the log has no header fields\n";
  }
  if (report.bodies_left_out > 0) {
    out << "\n"
        << report.bodies_left_out
        << " have a body that the log left out; fields of it are missing, and conditions on it do "
           "not hold\n";
  }
}

Json json_of(const PolicyCount& policy) {
  JsonArray missing;
  for (const auto& [selector, requests] : policy.missing) {
    missing.push_back(JsonObject({{"selector", selector}, {"requests", requests}}));
  }
  JsonObject decisions;
  for (std::size_t i = 0; i < gate::decision_count; ++i) {
    if (policy.decisions[i] > 0) {
      decisions[name(decision_at(i))] = policy.decisions[i];
    }
  }
  return JsonObject({{"name", policy.name},
                     {"requests", policy.requests()},
                     {"decisions", std::move(decisions)},
                     {"missing", std::move(missing)}});
}

Json bad_lines_of(const Report& report) {
  JsonArray first;
  for (const BadLine& bad : report.first_bad_lines) {
    first.push_back(JsonObject({{"line", bad.line}, {"message", bad.why}}));
  }
  return JsonObject({{"count", report.bad_lines}, {"first", std::move(first)}});
}

Json time_of(const std::optional<Moment>& moment) {
  return moment ? Json(moment_text(*moment)) : Json();
}

}  // namespace

std::uint64_t PolicyCount::requests() const {
  return std::accumulate(decisions.begin(), decisions.end(), std::uint64_t{0});
}

void print_table(const Report& report, std::ostream& out) {
  out << report.log << ": " << report.requests << (report.requests == 1 ? " request" : " requests");
  if (report.from && report.to) {
    out << ", " << moment_text(*report.from) << " to " << moment_text(*report.to);
  }
  out << "\n\n";
  print_policies(report, out);
  if (report.without_status > 0) {
    out << "\n"
        << report.without_status
        << " of those covered have no status in the log and count as completed\n";
  }
  if (report.out_of_order > 0) {
    out << "\n"
        << report.out_of_order << " are older than one before them, by up to "
        << milliseconds_text(report.out_of_order_max)
        << ", and count as being as late as that one\n";
  }
  print_lacking(report, out);
}

void print_json(const Report& report, std::ostream& out) {
  JsonArray policies;
  for (const PolicyCount& policy : report.policies) policies.push_back(json_of(policy));
  const auto back = std::chrono::ceil<std::chrono::milliseconds>(report.out_of_order_max).count();
  Json broke_off = report.broke_off.empty() ? Json() : Json(report.broke_off);
  const JsonObject all({{"log", report.log},
                        {"complete", report.broke_off.empty()},
                        {"error", std::move(broke_off)},
                        {"requests", report.requests},
                        {"from", time_of(report.from)},
                        {"to", time_of(report.to)},
                        {"policies", std::move(policies)},
                        {"uncovered", report.uncovered},
                        {"bad_requests", report.bad_requests},
                        {"without_status", report.without_status},
                        {"with_headers", report.with_headers},
                        {"bodies_left_out", report.bodies_left_out},
                        {"out_of_order", JsonObject({{"count", report.out_of_order},
                                                     {"max_ms", std::int64_t{back}}})},
                        {"no_requests", bad_lines_of(report)}});
  out << telemetry::json_text(all) << "\n";
}

}  // namespace onceproxy::backtest
