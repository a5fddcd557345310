#include <sys/stat.h>

#include <exception>
#include <filesystem>
#include <ostream>
#include <stdexcept>
#include <string>

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

/// PostgreSQL's store does not look for operations under such names, so a move forgets them.
void refuse_earlier_digests(RocksDbTransfer& source, const StoreMoveArguments& arguments,
                            std::ostream& err) {
  const std::uint64_t count = source.earlier_digests();
  if (count == 0) return;
  const std::string what =
      std::to_string(count) +
      " operations may have names that an earlier version of onceproxy computed in another way. "
      "PostgreSQL's store does not look for such names, so their duplicates are forwarded again";
  if (!arguments.forget_earlier) {
    throw std::runtime_error(what +
                             "; nothing was moved. Move when their windows have passed, or "
                             "accept this with --forget-earlier");
  }
  err << "onceproxy: warning: " << what << "\n";
}

Moved move_to_postgres(const config::Settings& from, const config::Settings& to,
                       const StoreMoveArguments& arguments, std::ostream& err) {
  store::StoreClock clock;
  RocksDbTransfer source(from.store, clock, RocksDbTransfer::Opening::existing);
  PostgresTransfer destination(*to.postgres);
  refuse_earlier_digests(source, arguments, err);
  return move(source, destination, arguments.dry_run);
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
    print(to->postgres ? move_to_postgres(*from, *to, arguments, streams.err)
                       : move_to_rocksdb(*from, *to, arguments.dry_run),
          arguments.dry_run, streams.out);
  } catch (const std::exception& error) {
    streams.err << "onceproxy: " << error.what() << "\n";
    return exit_bad;
  }
  return exit_good;
}

}  // namespace onceproxy::cli
