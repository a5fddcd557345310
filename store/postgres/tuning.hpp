// PostgresTuning: what the shared store takes as given and no operator sets. Tests pass their own.
#pragma once

#include <chrono>
#include <cstddef>

namespace onceproxy::store {

struct PostgresTuning {
  /// How often leases are looked at. A lease that ended here is at least two seconds from its end
  /// in the database (renewal_max), which leaves time for the rest.
  std::chrono::milliseconds tick{200};
  /// How often an instance shows that it lives, and looks at the server's settings.
  std::chrono::milliseconds beat{1'000};
  /// Between two attempts to connect; doubles from first to last.
  std::chrono::milliseconds reconnect_first{50};
  std::chrono::milliseconds reconnect_last{2'000};
  /// Operations without an answer in a row until the circuit opens, and how often it is probed
  /// then.
  unsigned circuit_failures = 5;
  std::chrono::milliseconds probe{250};
  /// A session that owes answers for so long is given up. Long, since its server process may go on
  /// waiting for a standby all the same.
  std::chrono::milliseconds silence_max{600'000};
  /// Statements on their way on one session; more of them wait.
  std::size_t pipeline_max = 64;
  /// How long an answer may wait until the standbys have the row that it stands on.
  std::chrono::milliseconds confirm_max{1'000};
  /// A commit that took longer counts only after a look at the standbys: it may have waited for
  /// standbys that the server was then told to wait for no more.
  std::chrono::milliseconds commit_slow{50};
  /// Between two looks at how far the standbys are, while somebody waits.
  std::chrono::milliseconds confirm_pause{1};
  /// How often calls that wait ask again, should a notification be lost.
  std::chrono::milliseconds poll{1'000};
  /// How long a place in the queue for a turn is kept for a call that does not ask again.
  std::chrono::milliseconds ticket{6'000};
  /// Reserves that wait, and what their callers keep meanwhile; and of those, for one entity's
  /// turn.
  std::size_t waiting_max = 10'000;
  std::size_t waiting_bytes_max = std::size_t{64} << 20;
  std::size_t entity_queue_max = 1'000;
  /// For how long an answer from memory may stand on what was confirmed.
  std::chrono::milliseconds recent{1'000};
  /// Outcomes that could not be written and wait for the database, until their leases end.
  std::size_t retained_max = 100'000;
  std::size_t retained_bytes_max = std::size_t{64} << 20;
  std::chrono::milliseconds retained_pause{500};
  /// How often one operation is sent again.
  unsigned retries_max = 8;
  /// Pages of each table that are looked at for expired rows with each beat.
  int sweep_pages = 1'000;
  std::size_t duplicates_max = 65'536;
  std::size_t duplicates_per_beat = 2'048;
  /// Records that are looked at for one page of a list.
  std::size_t scan_max = 20'000;
  /// Leases that are renewed with one statement.
  std::size_t renewals_max = 500;
};

}  // namespace onceproxy::store
