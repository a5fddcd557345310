// The commands that serve nothing: check, schema, explain, backtest, doctor, health, drain, backup,
// restore, records, entities, deliveries, dead-letters, audit, store. main.cpp adds them to its
// command line beside `run`. Only `backup --offline`, `restore` and `store` open a store. `health`,
// `drain`, `backup`, `records`, `entities`, `deliveries`, `dead-letters` and `audit` use a socket,
// to a port of a program that runs, and `doctor` looks at ports, at the upstream and at the
// database. Not thread-safe.
#pragma once

#include <cstddef>
#include <iosfwd>
#include <optional>
#include <string>

#include "config/load.hpp"
#include "policies/request_view.hpp"

namespace CLI {
class App;
}

namespace onceproxy::cli {

/// Exit codes, as the README promises them.
constexpr int exit_good = 0;
constexpr int exit_bad = 1;
constexpr int exit_unreadable = 2;

struct Streams {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  /// `err` is a terminal: long commands may show their progress.
  bool err_is_terminal = false;
};

/// `onceproxy check FILE`, or `-` for `in`: prints every problem to `err`, or one line to `out`. An
/// error in a TLS file is a problem; a doubtful setting in one is a note, which does not change the
/// exit code. With `json`, it prints one JSON object to `out` in both cases,
/// {"file":…,"valid":…,"problems":[…]}, for editors and CI.
int check(const std::string& path, bool json, const Streams& streams);

/// `onceproxy schema`: the JSON Schema of the configuration, or its reference in Markdown.
int schema(bool markdown, std::ostream& out);

struct ExplainArguments {
  std::string config;
  /// A file with a raw HTTP message, or `-` for `in`; so may be `answer`.
  std::string request;
  /// The service's answer; empty: none.
  std::string answer;
  /// A file with the certificate that the client shows, in PEM form; empty: none.
  std::string certificate;
  bool json = false;
};

/// `onceproxy explain -c CONFIG REQUEST`: what the request in the file stands for, and what an
/// answer says about it. A message that would be refused for its form is `exit_bad`; any decision
/// of a policy is not. With `json`, one object to `out`: what sheet.hpp describes,
/// {"bad_request":{"status":…,"detail":…}}, {"bad_answer":{"detail":…}} or {"problems":[…]}.
int explain(const ExplainArguments& arguments, const Streams& streams);

/// What is explained beside the request.
struct Beside {
  /// nullptr: the client shows none.
  const policies::ClientCertificate* certificate = nullptr;
  /// The service's answer, as it came.
  std::optional<std::string> answer = std::nullopt;
};

/// The same as text, on what has been read.
int explain(const config::Settings& settings, std::string request, std::ostream& out,
            std::ostream& err, const Beside& beside = {});

struct DoctorArguments {
  std::string config;
  /// The admin port of an Envoy: host:port or unix:/path; empty: none is asked.
  std::string envoy;
  bool json = false;
};

/// `onceproxy doctor -c CONFIG`: whether the program can start here and do its work, as
/// doctor/README.md tells; with `envoy`, whether an Envoy in front of it undermines what it
/// promises. `exit_bad` if a check fails; warnings change nothing.
int doctor(const DoctorArguments& arguments, const Streams& streams);

struct BacktestArguments {
  std::string config;
  /// A file, or `-` for `in`.
  std::string log;
  bool json = false;
  /// What may be remembered at once.
  std::size_t operations_max = 2'000'000;
};

/// `onceproxy backtest -c CONFIG LOG`: what each policy would have done with the requests of a log.
/// The table, or with `json` one JSON object, goes to `out`. `exit_bad` if the log holds no
/// request, breaks off, or needs more memory than allowed: what was found up to there is printed.
int backtest(const BacktestArguments& arguments, const Streams& streams);

/// Adds the commands. One that ran leaves its exit code in `exit_code`, which must outlive the
/// parsing, as the streams must; `exit_code` is left alone when none ran.
void add_commands(CLI::App& app, const Streams& streams, int& exit_code);

}  // namespace onceproxy::cli
