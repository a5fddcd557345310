// PostgresTuning: constants of the shared store that operators cannot set. Tests pass their own
// values.
#pragma once

#include <chrono>
#include <cstddef>

namespace onceproxy::store {

struct PostgresTuning {
  /// How often leases are checked. A lease that ends here lasts at least two more seconds in the
  /// database (renewal_max), which leaves time for everything else.
  std::chrono::milliseconds tick{200};
  /// How often an instance writes its sign of life, and checks the server's settings.
  std::chrono::milliseconds beat{1'000};
  /// Pause between two attempts to connect; doubles from first to last.
  std::chrono::milliseconds reconnect_first{50};
  std::chrono::milliseconds reconnect_last{2'000};
  /// After how many unanswered operations in a row the circuit opens, and how often it is then
  /// probed.
  unsigned circuit_failures = 5;
  std::chrono::milliseconds probe{250};
  /// How long a session may owe answers before it is closed. This is long because its server
  /// process may go on waiting for a standby even if the session is closed.
  std::chrono::milliseconds silence_max{600'000};
  /// How often another session is made while none of a channel's sessions answers, to find out
  /// whether another server has taken over.
  std::chrono::milliseconds look_elsewhere{2'000};
  /// Maximum number of unanswered statements of one session; further ones wait.
  std::size_t pipeline_max = 64;
  /// Maximum number of operations that one statement carries.
  std::size_t batch_max = 128;
  /// While a channel has a statement of a kind under way, further operations of this kind are
  /// gathered for the next one. After this time the next look sends them, because that statement
  /// may wait for a lock; each new operation looks, and each tick of the channel (100 ms).
  std::chrono::milliseconds gather_max{25};
  /// Answers that are larger are written by a statement of their own.
  std::size_t batched_bytes_max = std::size_t{16} << 10;
  /// How long an answer may wait until the standbys have the row that it repeats.
  std::chrono::milliseconds confirm_max{1'000};
  /// A commit that took longer counts only after a look at the positions of the standbys. The
  /// server may have been told meanwhile not to wait for them.
  std::chrono::milliseconds commit_slow{50};
  /// Pause between two looks at the positions of the standbys while answers wait.
  std::chrono::milliseconds confirm_pause{1};
  /// How often waiting calls query the database, in case a notification was lost.
  std::chrono::milliseconds poll{1'000};
  /// How long a call keeps its place in the queue for a turn without asking again.
  std::chrono::milliseconds ticket{6'000};
  /// Limits on reserves that wait: their number, the memory that their callers hold, and the number
  /// that wait for the turn of one entity.
  std::size_t waiting_max = 10'000;
  std::size_t waiting_bytes_max = std::size_t{64} << 20;
  std::size_t entity_queue_max = 1'000;
  /// How long an answer may be replayed from memory after its confirmation.
  std::chrono::milliseconds recent{1'000};
  /// Limits on outcomes that could not be written and are retried until their leases end, and the
  /// pause between two attempts.
  std::size_t retained_max = 100'000;
  std::size_t retained_bytes_max = std::size_t{64} << 20;
  std::chrono::milliseconds retained_pause{500};
  /// How often one operation is retried.
  unsigned retries_max = 8;
  /// Number of pages of each table in which expired rows are looked for at each beat.
  int sweep_pages = 1'000;
  std::size_t duplicates_max = 65'536;
  std::size_t duplicates_per_beat = 2'048;
  /// Maximum number of records that are read for one page of a list.
  std::size_t scan_max = 20'000;
  /// How long a delivery is left to the instance that has stored its event, before another attempts
  /// it.
  std::chrono::milliseconds others_patience{2'000};
  /// Maximum number of pending deliveries that are looked at for one page of those that this
  /// instance delivers.
  std::size_t pending_look_max = 5'000;
  /// How long this instance must have reached the database without a break before it takes over
  /// what another one seems to have left. As long as a sign of life counts: after an outage nobody
  /// has given one.
  std::chrono::milliseconds takeover_after{10'000};
  /// For how long no instance must have had the route of a delivery before it ends as removed.
  /// Longer than a rollout takes from the last old instance to the first new one.
  std::chrono::milliseconds orphaned_after{60'000};
  /// Maximum number of deliveries that have ended, and of events whose time is over, that one
  /// statement of upkeep deals with.
  int looks_max = 2'000;
  int purged_max = 500;
  /// Maximum number of leases that are renewed with one statement.
  std::size_t renewals_max = 500;
};

}  // namespace onceproxy::store
