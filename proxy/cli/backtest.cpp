#include "proxy/cli/backtest/backtest.hpp"

#include <istream>
#include <ostream>

#include "config/text.hpp"
#include "proxy/cli/backtest/input.hpp"
#include "proxy/cli/backtest/log_reader.hpp"
#include "proxy/cli/backtest/progress.hpp"
#include "proxy/cli/commands.hpp"
#include "proxy/cli/read_file.hpp"

namespace onceproxy::cli {
namespace {

using backtest::Report;

std::string full_text(std::size_t operations_max) {
  return "more than " + std::to_string(operations_max) +
         " operations, entities and rate limits are remembered at once; take a higher "
         "--max-operations (about 250 bytes each), shorter windows, or a shorter log";
}

/// Reads the whole log, or as much of it as can be read.
Report read(const config::Settings& settings, backtest::Input& input,
            const BacktestArguments& arguments, const Streams& streams, bool& unreadable) {
  backtest::Backtest backtest(settings, arguments.operations_max);
  std::string broke_off;
  {
    backtest::Progress progress(streams.err, streams.err_is_terminal, input.size());
    const auto whole = backtest::read_log(input, [&](backtest::LogItem item) {
      progress.show(input.bytes_read(), backtest.requests());
      if (!item.request) {
        backtest.add_bad_line(item.line, item.request.error());
        return true;
      }
      if (backtest.add(*item.request)) return true;
      broke_off = "line " + std::to_string(item.line) + ": " + full_text(arguments.operations_max);
      return false;
    });
    if (!whole) {
      unreadable = whole.error().unreadable;
      broke_off = whole.error().message;
    }
  }
  Report report = backtest.finish();
  report.log = arguments.log;
  report.broke_off = std::move(broke_off);
  if (report.broke_off.empty() && report.requests == 0) report.broke_off = "it contains no request";
  return report;
}

void print(const Report& report, const Streams& streams) {
  for (const auto& bad : report.first_bad_lines) {
    streams.err << report.log << ":" << bad.line << ": not a request: " << bad.why << "\n";
  }
  if (report.bad_lines > report.first_bad_lines.size()) {
    streams.err << report.bad_lines << " lines or entries are not requests; these are the first "
                << report.first_bad_lines.size() << "\n";
  }
  if (report.requests > 0) print_table(report, streams.out);
  if (!report.broke_off.empty()) {
    streams.err << "onceproxy: " << report.log << ": " << report.broke_off << "\n";
  }
}

}  // namespace

int backtest(const BacktestArguments& arguments, const Streams& streams) {
  const auto text = read_file(arguments.config);
  if (!text) {
    streams.err << "onceproxy: " << text.error() << "\n";
    return exit_unreadable;
  }
  const auto settings = config::load(*text, arguments.config, config::process_environment());
  if (!settings) {
    for (const auto& problem : settings.error()) streams.err << problem.text() << "\n";
    return exit_bad;
  }
  auto input = arguments.log == "-"
                   ? tl::expected<backtest::Input, std::string>(backtest::Input(streams.in))
                   : backtest::Input::open(arguments.log);
  if (!input) {
    streams.err << "onceproxy: " << input.error() << "\n";
    return exit_unreadable;
  }
  bool unreadable = false;
  const Report report = read(*settings, *input, arguments, streams, unreadable);
  arguments.json ? print_json(report, streams.out) : print(report, streams);
  if (unreadable) return exit_unreadable;
  return report.broke_off.empty() ? exit_good : exit_bad;
}

}  // namespace onceproxy::cli
