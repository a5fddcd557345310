#include <sys/stat.h>

#include <exception>
#include <filesystem>
#include <ostream>

#include "proxy/cli/move.hpp"
#include "proxy/cli/store.hpp"
#include "proxy/cli/store_settings.hpp"
#include "store/postgres/transfer.hpp"
#include "store/rocksdb/rocksdb_transfer.hpp"
#include "store/store_clock.hpp"

namespace onceproxy::cli {
namespace {

using store::PostgresTransfer;
using store::RocksDbTransfer;

/// A dry run into a directory that holds no store makes none.
struct NoStoreYet {
  void read_records(const std::function<void(const store::CarriedRecord&)>&) {}
  void read_entities(const std::function<void(const store::CarriedEntity&)>&) {}
  std::size_t write_records(const std::vector<store::CarriedRecord>&) { return 0; }
  std::size_t write_entities(const std::vector<store::CarriedEntity>&) { return 0; }
  std::size_t write_rates(const std::vector<store::CarriedRate>&) { return 0; }
  void raise_fence(std::uint64_t) {}
};

void print(const Moved& moved, bool dry_run, std::ostream& out) {
  const auto line = [&](const char* what, const Moved::Count& count) {
    out << what << ": " << count.live << " live";
    if (!dry_run) {
      out << ", " << count.added << " moved, " << count.live - count.added << " there already";
    }
    out << "\n";
  };
  line("operations", moved.records);
  line("entities", moved.entities);
  line("rate limits", moved.rates);
  out << "fences go on above " << moved.fence << "\n";
  if (dry_run) out << "nothing was written\n";
}

void warn_of_earlier_digests(std::uint64_t count, std::ostream& err) {
  if (count == 0) return;
  err << "onceproxy: warning: an earlier version of onceproxy may have named " << count
      << " of these operations, and PostgreSQL's store does not look for them under such names: "
         "their duplicates are forwarded again\n";
}

Moved move_to_postgres(const config::Settings& from, const config::Settings& to, bool dry_run,
                       std::ostream& err) {
  store::StoreClock clock;
  RocksDbTransfer source(from.store, clock, RocksDbTransfer::Opening::existing);
  PostgresTransfer destination(*to.postgres);
  const Moved moved = move(source, destination, dry_run);
  // With records in the destination each was read twice.
  warn_of_earlier_digests(std::min<std::uint64_t>(source.earlier_digests(), moved.records.live),
                          err);
  return moved;
}

Moved move_to_rocksdb(const config::Settings& from, const config::Settings& to, bool dry_run) {
  PostgresTransfer source(*from.postgres);
  if (dry_run && !std::filesystem::exists(to.store.path / "CURRENT")) {
    NoStoreYet none;
    return move(source, none, dry_run);
  }
  store::StoreClock clock;
  RocksDbTransfer destination(to.store, clock, RocksDbTransfer::Opening::create);
  return move(source, destination, dry_run);
}

}  // namespace

int store_move(const StoreMoveArguments& arguments, const Streams& streams) {
  const auto from = read_settings(arguments.config, streams);
  if (!from) return from.error();
  const auto to = read_settings(arguments.to, streams);
  if (!to) return to.error();
  if (from->postgres.has_value() == to->postgres.has_value()) {
    streams.err << "onceproxy: " << arguments.config << " and " << arguments.to << " both have "
                << (from->postgres ? "store.postgres" : "store.rocksdb")
                << "; one of them must have the other store\n";
    return exit_bad;
  }
  // What RocksDB makes is for this user alone, as when onceproxy runs.
  ::umask(S_IRWXG | S_IRWXO);
  try {
    print(to->postgres ? move_to_postgres(*from, *to, arguments.dry_run, streams.err)
                       : move_to_rocksdb(*from, *to, arguments.dry_run),
          arguments.dry_run, streams.out);
  } catch (const std::exception& error) {
    streams.err << "onceproxy: " << error.what() << "\n";
    return exit_bad;
  }
  return exit_good;
}

}  // namespace onceproxy::cli
