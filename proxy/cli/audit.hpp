// `onceproxy audit`: what was forwarded, refused and done, newest first, from the audit log of a
// running program, over its admin port. Not thread-safe.
#pragma once

#include <iosfwd>

#include "proxy/cli/admin_port.hpp"

namespace onceproxy::cli {

struct AuditArguments : AdminArguments {
  /// Ages ("5m"), seconds since 1970, or times in UTC.
  std::string since;
  std::string until;
  std::string policy;
  std::string decision;
  /// Several with commas.
  std::string outcome;
  std::string fingerprint;
  /// `type/id`.
  std::string entity;
  /// A path, or how it begins, with `*` at the end.
  std::string path;
  /// 0: all there are.
  std::size_t limit = 50;
};

/// A table to `out`; with `json` the admin API's JSON, one item a line. Exit codes as records().
int audit(const AuditArguments& arguments, const Streams& streams);

/// The same on a port that is open. Nothing is said if there is nothing.
tl::expected<void, Ending> print_audit(const AdminPort& port, const AuditArguments& arguments,
                                       const Streams& streams);

/// Adds `audit`; as add_commands().
void add_audit(CLI::App& app, const Streams& streams, int& exit_code);

}  // namespace onceproxy::cli
