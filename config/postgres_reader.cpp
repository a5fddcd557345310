#include "config/postgres_reader.hpp"

#include <algorithm>

#include "config/postgres_url.hpp"
#include "config/scalars.hpp"
#include "config/tls_reader.hpp"

namespace onceproxy::config {
namespace {

using store::Durability;
using store::PostgresOptions;

constexpr std::uint64_t gib = std::uint64_t{1} << 30;
/// More than a database has for all of its clients.
constexpr std::int64_t connections_most = 1'000;
/// An identifier of PostgreSQL's has 63 at most, and the store makes others of this one.
constexpr std::size_t identifier_bytes_max = 50;

/// It is part of statements, so it is one that needs no quotes.
std::optional<std::string> not_a_schema(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; };
  const auto inner = [letter](char c) { return letter(c) || (c >= '0' && c <= '9'); };
  if (name.empty() || name.size() > identifier_bytes_max || !letter(name.front()) ||
      !std::ranges::all_of(name, inner)) {
    return "is not the name of a schema; it has 1 to 50 of a-z, 0-9 and _, and begins with no "
           "digit";
  }
  if (name.starts_with("pg_") || name == "information_schema") {
    return "is reserved by PostgreSQL; choose another schema";
  }
  return std::nullopt;
}

Kind<std::filesystem::path> password_file() {
  const Kind<std::string> any = file_path();
  Kind<std::filesystem::path> kind;
  kind.read = [any](const Node& node) -> std::optional<std::filesystem::path> {
    const auto value = any.read(node);
    if (!value) return std::nullopt;
    return std::filesystem::path(*value);
  };
  kind.schema = any.schema;
  return kind;
}

void check_one_password(const Node& node, PostgresOptions& options) {
  const auto file = node.get("password_file");
  if (file && !options.password_file.empty() && has_password(options.url)) {
    file->problem("url has a password already; keep the file and remove the password from url");
  }
}

}  // namespace

Kind<PostgresOptions> postgres() {
  using O = PostgresOptions;
  return section<O>(
      {"store.postgres",
       {key<O>("url", &O::url, text("a URL", not_a_postgres_url),
               "The database, as a libpq connection URL: postgresql://user@host/database, with "
               "further hosts and libpq parameters if needed. If there are several hosts, the one "
               "that accepts writes is used. A password in the URL is never shown; password_file, "
               "PGPASSFILE or a client certificate are better.",
               Need::required),
        key<O>("password_file", &O::password_file, password_file(),
               "A file whose first line is the password. It is read for each new connection, so a "
               "new password needs no restart."),
        key<O>("connections", &O::connections, integer(1, connections_most),
               "Maximum number of connections for requests. The instance opens up to four more for "
               "maintenance and notifications."),
        key<O>("schema", &O::schema, text("a name", not_a_schema),
               "The schema with onceproxy's tables. Instances with the same one share their "
               "operations."),
        key<O>("durability", &O::durability,
               word<Durability>({{"quorum", Durability::quorum}, {"primary", Durability::primary}}),
               "When a commit counts. quorum: when the synchronous standbys have it "
               "(synchronous_standby_names), so that a failover loses nothing; without such a "
               "standby the start is refused. primary: when the primary has it on disk; a failover "
               "to an asynchronous standby can lose the last commits, and their operations may "
               "then run again."),
        key<O>("cache", &O::cache_bytes, size(0, 64 * gib),
               "Memory for answers that were confirmed within the last second and are replayed "
               "without asking the database. 0: no such memory.")},
       {},
       {},
       "url"},
      check_one_password);
}

}  // namespace onceproxy::config
