#include "config/store_reader.hpp"

#include <chrono>
#include <filesystem>

#include "config/postgres_reader.hpp"
#include "config/scalars.hpp"

namespace onceproxy::config {
namespace {

using store::PreparedLog;
using store::RocksDbOptions;
using store::Sync;

constexpr std::uint64_t kib = 1024;
constexpr std::uint64_t gib = 1024 * 1024 * kib;

/// Less is a time zone, more is no limit.
constexpr std::chrono::hours clock_ahead_least{1};
constexpr std::chrono::hours clock_ahead_most{3650 * 24};

Kind<std::filesystem::path> directory() {
  const Kind<std::string> any =
      text("a directory", [](std::string_view path) -> std::optional<std::string> {
        if (path.empty()) return "is not a directory";
        return std::nullopt;
      });
  Kind<std::filesystem::path> kind;
  kind.read = [any](const Node& node) -> std::optional<std::filesystem::path> {
    const auto value = any.read(node);
    if (!value) return std::nullopt;
    return std::filesystem::path(*value);
  };
  kind.schema = [] { return JsonObject({{"type", "string"}, {"minLength", 1}}); };
  kind.print = [](const std::filesystem::path& value) { return Json(value.string()); };
  return kind;
}

Kind<RocksDbOptions> rocksdb() {
  using O = RocksDbOptions;
  return section<O>(
      {"store.rocksdb",
       {key<O>("path", &O::path, directory(),
               "The directory of the database; one process owns it."),
        key<O>(
            "sync", &O::sync,
            word<Sync>(
                {{"all", Sync::all}, {"reservations", Sync::reservations}, {"none", Sync::none}}),
            "What is synced to disk before the next step. all: reservations before forwarding and "
            "completions before answering. reservations: only reservations. none: everything "
            "survives a crash of the process, but not a power failure."),
        key<O>("max_bytes", &O::bytes_max, size(64 * kib, 1024 * 1024 * gib),
               "Soft limit of the directory's size. Above it new operations get 503; known "
               "operations are still answered."),
        key<O>("prepared_log", &O::prepared_log,
               word<PreparedLog>({{"auto", PreparedLog::automatic}, {"off", PreparedLog::off}}),
               "How the write-ahead log is written with sync: all. auto: over preallocated space, "
               "which makes each sync cheaper, if the version of the RocksDB library has been "
               "tested and the file system supports direct I/O. off: as RocksDB does it. Either "
               "setting opens a store that was written with the other.")}});
}

/// What stands in the section, before it is put into the settings.
struct StoreSection {
  RocksDbOptions rocksdb;
  std::optional<store::PostgresOptions> postgres;
  std::chrono::milliseconds clock_ahead_max = RocksDbOptions().clock_ahead_max;
};

/// There is one store, and only RocksDB has a clock of its own.
void check_one_store(const Node& node, StoreSection&) {
  const auto postgres = node.get("postgres");
  if (!postgres) return;
  if (node.get("rocksdb")) {
    postgres->problem("a store is either rocksdb or postgres; remove one of them");
  }
  if (const auto clock = node.get("clock_ahead_max")) {
    clock->problem(
        "is for rocksdb alone; with postgres the clock of the database decides, so remove it");
  }
}

Kind<StoreSection> store_section() {
  using S = StoreSection;
  Kind<S> kind = section<S>(
      {"store",
       {key<S>(
            "rocksdb", &S::rocksdb, rocksdb(),
            "RocksDB inside this process. This is the default, for one instance on one machine."),
        key<S>("postgres", &S::postgres, postgres(),
               "PostgreSQL 15 or later instead of RocksDB, for any number of instances that share "
               "their operations. The database needs a schema, which `onceproxy store migrate` "
               "creates."),
        key<S>("clock_ahead_max", &S::clock_ahead_max,
               duration(clock_ahead_least, clock_ahead_most),
               "With RocksDB: the longest downtime that the wall clock may show at a start. If the "
               "clock is further ahead of the store's time, or behind it, no expired record is "
               "removed until the clock is corrected, or until a start with --accept-clock. From "
               "1h to 3650d.")}},
      check_one_store);
  kind.schema = [schema = kind.schema] {
    Json json = schema();
    set_member(json, "not", JsonObject({{"required", JsonArray({"rocksdb", "postgres"})}}));
    return json;
  };
  return kind;
}

}  // namespace

Key<Settings> store_row() {
  const Kind<StoreSection> kind = store_section();
  Key<Settings> row;
  row.name = "store";
  row.names = kind.names;
  row.schema = [kind] {
    Json schema = kind.schema();
    set_member(schema, "description", "Where operations are remembered.");
    return schema;
  };
  row.read = [kind](const Node& node, Settings& settings) {
    auto value = kind.read(node);
    if (!value) return;
    settings.store = std::move(value->rocksdb);
    settings.store.clock_ahead_max = value->clock_ahead_max;
    settings.postgres = std::move(value->postgres);
  };
  return row;
}

}  // namespace onceproxy::config
