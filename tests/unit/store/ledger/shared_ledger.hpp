// Two instances on one ledger. The verbs of the fixture are the first one's.
#pragma once

#include "ledgers.hpp"

namespace onceproxy::store::testing {

struct SharedLedger {
  PostgresLedgerBackend one;
  PostgresLedgerBackend other;

  SharedLedger() { other.options = one.options; }
  void open() {
    one.open();
    other.open();
  }
  std::string sql(const std::string& statement) const { return one.sql(statement); }
  /// The first instance gives no sign of life any more, and the last one was long ago.
  void silence_first() const { sql("UPDATE instances SET seen = now_ms() - 60000"); }
};

}  // namespace onceproxy::store::testing
