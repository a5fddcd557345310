#include "store/postgres/schema.hpp"

#include <atomic>
#include <stdexcept>

#include "store/fingerprint.hpp"
#include "store/hex.hpp"
#include "store/postgres/connecting.hpp"
#include "store/postgres/migrations.hpp"

namespace onceproxy::store {
namespace {

/// The key of the advisory lock by which two migrations of one database wait for each other.
constexpr std::string_view lock = "SELECT pg_advisory_xact_lock(7046029254386353131)";

/// The key of the lock of a move: a number of our own, and one for the schema. In hexadecimal
/// digits its name has no quotes.
std::string key_of_move(const PostgresOptions& options) {
  std::string out = "(704602925, hashtext('";
  append_hex(out, options.schema);
  return out + "'))";
}

pq::ConnectionPtr open(const PostgresOptions& options) {
  if (const std::string wrong = wrong_options(options); !wrong.empty()) {
    throw std::runtime_error(wrong);
  }
  static const std::atomic<bool> never{false};
  auto connected = connect(options, never);
  if (const auto* const error = std::get_if<ConnectError>(&connected)) {
    throw std::runtime_error("cannot connect to PostgreSQL: " + error->message);
  }
  return std::get<pq::ConnectionPtr>(std::move(connected));
}

std::string literal(PGconn* connection, const std::string& text) {
  char* const out = PQescapeLiteral(connection, text.data(), text.size());
  if (out == nullptr) throw std::runtime_error(pq::trimmed(PQerrorMessage(connection)));
  std::string quoted = out;
  PQfreemem(out);
  return quoted;
}

/// Queries the catalog and not to_regclass(), because a session remembers that a table did not
/// exist, even after it has waited for the transaction that creates it.
int version_of(PGconn* connection, const PostgresOptions& options) {
  const std::string table = quoted(connection, options.schema) + ".schema_version";
  const auto there =
      run(connection,
          "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN "
          "pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = " +
              literal(connection, options.schema) + " AND c.relname = 'schema_version')",
          "the schema cannot be looked at");
  if (PQgetvalue(there.get(), 0, 0)[0] != 't') return 0;
  const auto found = run(connection, "SELECT coalesce(max(version), 0) FROM " + table,
                         "the schema's version cannot be read");
  return std::stoi(PQgetvalue(found.get(), 0, 0));
}

/// A role that owns the schema needs no permission to create schemas, which CREATE SCHEMA IF NOT
/// EXISTS would demand.
bool has_schema(PGconn* connection, const PostgresOptions& options) {
  const auto found = run(connection,
                         "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = " +
                             literal(connection, options.schema) + ")",
                         "the schemas cannot be looked at");
  return PQgetvalue(found.get(), 0, 0)[0] == 't';
}

std::string statements_for(int version, PGconn* connection, const PostgresOptions& options) {
  const std::string schema = quoted(connection, options.schema);
  std::string out;
  if (version == 1 && !has_schema(connection, options)) {
    out += "CREATE SCHEMA " + schema + ";\n";
  }
  out += "SET LOCAL search_path = " + schema + ", pg_temp;\n";
  if (version == 1) {
    out +=
        "CREATE TABLE schema_version (version integer PRIMARY KEY, "
        "applied timestamptz NOT NULL DEFAULT now(), needs integer, digests bigint);\n";
  }
  for (const Migration& migration : migrations) {
    if (migration.version != version) continue;
    out += migration.sql;
    out += '\n';
  }
  return out + "INSERT INTO schema_version (version, needs, digests) VALUES (" +
         std::to_string(version) + ", " + std::to_string(needed_for(version)) + ", " +
         std::to_string(digests_version) + ");\n";
}

/// Migrates by one version, or does nothing if another migration was first.
void step(PGconn* connection, const PostgresOptions& options, int to, const MigrationSink& sink) {
  run(connection, "BEGIN", "the migration cannot begin");
  try {
    run(connection, std::string(lock), "the migration's lock cannot be taken");
    if (version_of(connection, options) >= to) {
      run(connection, "ROLLBACK", "the migration cannot end");
      sink("version " + std::to_string(to) + " was applied by another migration meanwhile");
      return;
    }
    const std::string what = "migration to version " + std::to_string(to) + " failed";
    run(connection, statements_for(to, connection, options), what);
    run(connection, "COMMIT", what);
  } catch (const std::runtime_error&) {
    PQclear(PQexec(connection, "ROLLBACK"));
    throw;
  }
  sink("schema \"" + options.schema + "\" is now at version " + std::to_string(to));
}

}  // namespace

std::string lock_for_move(const PostgresOptions& options) {
  return "SELECT pg_try_advisory_lock" + key_of_move(options) + "::integer";
}

std::string lock_for_start(const PostgresOptions& options) {
  return "SELECT pg_try_advisory_lock_shared" + key_of_move(options) + "::integer";
}

int schema_version(const PostgresOptions& options) {
  const auto connection = open(options);
  return version_of(connection.get(), options);
}

int migrate(const PostgresOptions& options, bool dry_run, const MigrationSink& sink) {
  const auto connection = open(options);
  const int before = version_of(connection.get(), options);
  if (before > schema_version_now) throw std::runtime_error(schema_problem(before, options));
  if (before == schema_version_now) {
    sink("schema \"" + options.schema + "\" is at version " + std::to_string(before) +
         "; nothing is to be done");
    return before;
  }
  for (int to = before + 1; to <= schema_version_now; ++to) {
    if (dry_run) {
      sink("-- to version " + std::to_string(to) + ", in one transaction:");
      sink(statements_for(to, connection.get(), options));
    } else {
      step(connection.get(), options, to, sink);
    }
  }
  return before;
}

std::string schema_problem(int version, const PostgresOptions& options) {
  const std::string schema = "the schema \"" + options.schema + "\"";
  const std::string now = std::to_string(schema_version_now);
  if (version == 0) {
    return schema + " is not in the database; run `onceproxy store migrate`";
  }
  if (version < schema_version_now) {
    return schema + " is at version " + std::to_string(version) +
           " and this program needs version " + now + "; run `onceproxy store migrate`";
  }
  if (version > schema_version_now) {
    return schema + " is at version " + std::to_string(version) + " and this program knows " + now +
           " at most; use a newer onceproxy";
  }
  return "";
}

std::string schema_problem(const SchemaFound& found, const PostgresOptions& options) {
  const bool newer = found.version > schema_version_now;
  if (!newer || found.needs > schema_version_now) {
    if (std::string problem = schema_problem(found.version, options); !problem.empty()) {
      return problem;
    }
  }
  if (found.digests != 0 && found.digests != digests_version) {
    return "the operations in the schema \"" + options.schema + "\" have fingerprints of version " +
           std::to_string(found.digests) + " and this program computes version " +
           std::to_string(digests_version) +
           ", so it would not find them; use the onceproxy that wrote them";
  }
  return "";
}

}  // namespace onceproxy::store
