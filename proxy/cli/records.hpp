// `onceproxy records`: what an operator asks of the records of a running program, over its admin
// port. It opens no store: the program that runs owns that. Not thread-safe.
#pragma once

#include "proxy/cli/commands.hpp"

namespace onceproxy::cli {

struct RecordsArguments {
  /// list, show, release, resolve or forget.
  std::string action;
  /// All but list.
  std::string fingerprint;
  /// host:port or unix:/path.
  std::string admin = "127.0.0.1:9901";
  /// A file with the admin port's bearer token; empty: none is sent.
  std::string token_file;
  /// Whom the admin port's certificate is trusted from, a file or `system`; empty: plain HTTP.
  std::string ca;
  /// What that certificate is for; empty: the host of `admin`.
  std::string server_name;
  /// Files with a certificate to show, and its key; both or neither.
  std::string certificate;
  std::string key;
  bool json = false;

  // list:
  std::string policy;
  std::string state;
  /// 0: all there are.
  std::size_t limit = 50;

  // release, resolve, forget:
  bool dry_run = false;
};

/// A table, or the record's fields line by line, to `out`; with `json` the admin API's JSON, for
/// `list` one record a line. `exit_bad` where the admin port refuses (no such record, a state that
/// forbids it, a bad argument), `exit_unreadable` where it cannot be asked.
int records(const RecordsArguments& arguments, const Streams& streams);

/// Adds `records` and its subcommands; as add_commands().
void add_records(CLI::App& app, const Streams& streams, int& exit_code);

}  // namespace onceproxy::cli
