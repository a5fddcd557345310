#include "store/audit/log.hpp"

#include <pthread.h>

#include <stdexcept>
#include <system_error>
#include <utility>

#include "store/private_files.hpp"

namespace onceproxy::store {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::size_t waiting_bytes_max = std::size_t{8} << 20;
constexpr std::chrono::seconds pause_after_failure{1};
constexpr std::chrono::seconds housekeeping{1};

AuditLimits limits(const AuditOptions& options, std::uint64_t bytes_max) {
  return {bytes_max, options.retention};
}

std::string heading(WallTime begun) {
  std::string out;
  append(out, AuditFile{begun});
  return out;
}

}  // namespace

AuditLog::AuditLog(std::filesystem::path directory, const AuditOptions& options, const Clock& clock,
                   Failed failed)
    : options_(options),
      clock_(clock),
      failed_(std::move(failed)),
      forwards_{
          {directory, "forwards", limits(options, options.bytes_max / 4 * 3), heading}, {}, {}},
      refusals_{{directory, "refusals", limits(options, options.bytes_max / 4), heading}, {}, {}} {
  try {
    std::filesystem::create_directories(directory);
    make_private(directory, {failed_, failed_});
    forwards_.series.open();
    refusals_.series.open();
  } catch (const std::system_error& error) {
    throw std::runtime_error("cannot open the audit log in " + directory.string() + ": " +
                             error.code().message() +
                             "; make it writable, or switch the log off with audit: {enabled: "
                             "false}");
  }
  std::string start;
  append(start, AuditStart{clock_.now()});
  put(forwards_, start, 1);
  thread_ = std::thread([this] { run(); });
}

AuditLog::~AuditLog() {
  close();
}

void AuditLog::close() {
  {
    const std::lock_guard lock(mutex_);
    if (closing_) return;
    closing_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void AuditLog::write(std::string_view entries, std::size_t count) {
  put(forwards_, entries, count);
}

void AuditLog::hand_over(std::string entries, std::size_t count) {
  enqueue(refusals_, std::move(entries), count);
}

void AuditLog::act(AuditAction action) {
  action.time = clock_.now();
  std::string entry;
  append(entry, action);
  enqueue(forwards_, std::move(entry), 1);
}

void AuditLog::end(const AuditEnding& ending) {
  std::string entry;
  append(entry, ending);
  enqueue(forwards_, std::move(entry), 1);
}

void AuditLog::enqueue(Outlet& outlet, std::string entries, std::size_t count) {
  {
    const std::lock_guard lock(mutex_);
    if (closing_ || waiting_bytes_ + entries.size() > waiting_bytes_max) {
      dropped_.fetch_add(count, std::memory_order_relaxed);
      return;
    }
    waiting_bytes_ += entries.size();
    waiting_.push_back({outlet, std::move(entries), count});
  }
  changed_.notify_one();
}

void AuditLog::put(Outlet& outlet, std::string_view entries, std::size_t count) {
  const std::lock_guard lock(outlet.mutex);
  if (SteadyClock::now() < outlet.next_attempt) {
    dropped_.fetch_add(count, std::memory_order_relaxed);
    return;
  }
  const auto problem = outlet.series.append(entries, clock_.now());
  if (!problem) return;
  dropped_.fetch_add(count, std::memory_order_relaxed);
  outlet.next_attempt = SteadyClock::now() + pause_after_failure;
  report(*problem);
}

/// A separate thread: a sync takes milliseconds, and no operation should wait for it.
void AuditLog::run() {
  pthread_setname_np(pthread_self(), "store-audit");
  auto next = SteadyClock::now() + housekeeping;
  std::unique_lock lock(mutex_);
  while (!closing_) {
    changed_.wait_until(lock, next, [this] { return closing_ || !waiting_.empty(); });
    write_waiting(lock);
    if (SteadyClock::now() < next) continue;
    lock.unlock();
    keep_house();
    next = SteadyClock::now() + housekeeping;
    lock.lock();
  }
  write_waiting(lock);
  lock.unlock();
  keep_house();
}

void AuditLog::write_waiting(std::unique_lock<std::mutex>& lock) {
  std::vector<Batch> batches;
  batches.swap(waiting_);
  waiting_bytes_ = 0;
  lock.unlock();
  for (const Batch& batch : batches) put(batch.outlet, batch.entries, batch.count);
  lock.lock();
}

/// The age of files that an earlier process wrote is taken from the wall clock, and is unknown
/// while the clock is in doubt. Their size is limited in any case.
bool AuditLog::knows_ages() const {
  const auto apart = std::chrono::abs(clock_.standing().wall_ahead);
  return clock_.may_purge() && apart <= options_.retention / 8;
}

void AuditLog::keep_house() {
  const WallTime now = clock_.now();
  for (Outlet* const outlet : {&forwards_, &refusals_}) {
    if (const auto problem = outlet->series.check()) report(*problem);
    outlet->series.expire(knows_ages() ? now : WallTime());
    if (const auto problem = outlet->series.sync()) report(*problem);
  }
}

void AuditLog::report(std::string_view detail) const {
  if (failed_) failed_(detail);
}

}  // namespace onceproxy::store
