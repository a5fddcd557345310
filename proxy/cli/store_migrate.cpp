#include <exception>
#include <ostream>

#include "proxy/cli/store.hpp"
#include "proxy/cli/store_settings.hpp"
#include "store/postgres/schema.hpp"

namespace onceproxy::cli {

int store_migrate(const StoreMigrateArguments& arguments, const Streams& streams) {
  const auto settings = read_settings(arguments.config, streams);
  if (!settings) return settings.error();
  if (!settings->postgres) {
    streams.out << "the store is RocksDB, which needs no migration\n";
    return exit_good;
  }
  try {
    store::migrate(*settings->postgres, arguments.dry_run,
                   [&](std::string_view line) { streams.out << line << "\n"; });
  } catch (const std::exception& error) {
    streams.err << "onceproxy: " << error.what() << "\n";
    return exit_bad;
  }
  return exit_good;
}

}  // namespace onceproxy::cli
