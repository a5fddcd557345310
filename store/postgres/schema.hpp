// The schema of the shared store: its versions, and how a database gets to the newest one. An
// operator brings it up to date by `onceproxy store migrate`; the store itself only looks, and
// refuses what it does not know.
//
// Versions go forward only. Each step is one transaction under a lock, so that two that migrate at
// once do not meet, and one that fails leaves the version before it. What is there already is left
// alone: migrating twice is migrating once.
//
// Blocks until the database has answered. Errors are std::runtime_error with a message for an
// operator. Thread-safe.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "store/postgres/options.hpp"

namespace onceproxy::store {

/// What this program works with.
inline constexpr int schema_version_now = 1;

/// What the database holds; 0: no schema of that name, or an empty one.
int schema_version(const PostgresOptions& options);

/// Hears, line by line, what is done; where nothing is to be done, that.
using MigrationSink = std::function<void(std::string_view line)>;

/// Brings the schema to schema_version_now and returns the version it had. `dry_run`: changes
/// nothing and tells the statements that would run. Refuses a schema that is newer than the
/// program.
int migrate(const PostgresOptions& options, bool dry_run, const MigrationSink& sink);

/// What is wrong with a schema of that version, and the remedy; empty where nothing is.
std::string schema_problem(int version, const PostgresOptions& options);

}  // namespace onceproxy::store
