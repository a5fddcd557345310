// The schema of the shared store: its versions, and how a database is migrated to the newest one.
// An operator does that with `onceproxy store migrate`; the store itself only checks the version,
// and refuses one that it does not know.
//
// Migrations go forward only. Each step is one transaction under a lock, so two migrations at the
// same time do not disturb each other, and a step that fails leaves the version before it. A schema
// that is up to date is left unchanged.
//
// Blocks until the database has answered. Errors are std::runtime_error with a message for an
// operator. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "store/postgres/options.hpp"

namespace onceproxy::store {

/// The version that this program works with.
inline constexpr int schema_version_now = 2;

/// The version that the database has; 0: there is no schema of that name, or it is empty.
int schema_version(const PostgresOptions& options);

/// Gets a line for each step that is done, or one line which says that nothing has to be done.
using MigrationSink = std::function<void(std::string_view line)>;

/// Migrates the schema to schema_version_now and returns the version that it had. `dry_run`:
/// changes nothing, and reports the statements that would be run. Refuses a schema that is newer
/// than the program.
int migrate(const PostgresOptions& options, bool dry_run, const MigrationSink& sink);

/// Statements for a `store move` and for a start. Each returns 1 if the other one, or another move,
/// is not under way, and keeps it from beginning until the session ends; otherwise 0.
std::string lock_for_move(const PostgresOptions& options);
std::string lock_for_start(const PostgresOptions& options);

/// What is wrong with a schema of that version, and the remedy; empty if nothing is.
std::string schema_problem(int version, const PostgresOptions& options);

/// What a database says about a schema.
struct SchemaFound {
  int version = 0;
  /// The oldest version whose running instances may go on using this one.
  int needs = 0;
  /// How the fingerprints of its operations are computed (digests_version). 0: not known.
  std::uint64_t digests = 0;
};
/// Why an instance that runs cannot use it; empty if it can. It goes on when the schema was
/// migrated to a newer version that allows that; a start does not (schema_problem()).
std::string schema_problem(const SchemaFound& found, const PostgresOptions& options);

}  // namespace onceproxy::store
