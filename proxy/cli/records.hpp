// `onceproxy records`: what an operator asks of the records of a running program, over its admin
// port. It opens no store: the program that runs owns that. Not thread-safe.
#pragma once

#include <vector>

#include "proxy/cli/admin_port.hpp"

namespace onceproxy::cli {

struct RecordsArguments : AdminArguments {
  /// list, show, release, resolve or forget.
  std::string action;
  /// All but list.
  std::string fingerprint;

  // list:
  std::string policy;
  std::string state;
  /// `type/id`.
  std::string entity;
  /// A path, or how it begins, with `*` at the end.
  std::string path;
  /// An age: 5m.
  std::string older_than;
  /// 0: all there are.
  std::size_t limit = 50;

  // show, instead of the fingerprint: of the operation that this request stands for.
  /// A raw HTTP message in a file, or `-`.
  std::string request;
  std::string config;
  /// A file with the certificate that the client shows.
  std::string client_certificate;

  // resolve: what duplicates get from then on.
  /// 0: nothing is given.
  int status = 0;
  /// A file, or `-`; empty: no body.
  std::string body;
  /// "Name: value".
  std::vector<std::string> headers;

  // release, resolve, forget:
  bool dry_run = false;
};

/// A table, or the record's fields line by line, to `out`; with `json` the admin API's JSON, for
/// `list` one record a line. `exit_bad` if the admin port refuses (no such record, a state that
/// forbids it, a bad argument), `exit_unreadable` if it cannot be asked.
int records(const RecordsArguments& arguments, const Streams& streams);

/// Adds `records` and its subcommands; as add_commands().
void add_records(CLI::App& app, const Streams& streams, int& exit_code);

}  // namespace onceproxy::cli
