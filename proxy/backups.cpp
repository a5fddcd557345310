#include "proxy/backups.hpp"

#include <pthread.h>

#include <chrono>
#include <exception>

#include "proxy/telemetry/log.hpp"

namespace onceproxy {

namespace {

using telemetry::LogLevel;
using Phase = admin::BackupState::Phase;

store::WallTime wall_time_now() {
  return std::chrono::time_point_cast<store::WallTime::duration>(std::chrono::system_clock::now());
}

double seconds(std::chrono::system_clock::time_point time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

}  // namespace

Backups::Backups(store::RocksDbStore& store, const std::filesystem::path& path,
                 telemetry::Metrics& metrics)
    : store_(store), metrics_(metrics) {
  if (const auto last = store::backup::last_success(path)) last_success_ = seconds(*last);
}

bool Backups::begin(const std::string& directory) {
  const std::lock_guard lock(mutex_);
  if (stop_ || state_.phase == Phase::running) return false;
  // The last one has ended, or is about to: it has nothing more to do than to leave.
  if (thread_.joinable()) thread_.join();
  state_ = {};
  state_.phase = Phase::running;
  state_.directory = directory;
  state_.begun = wall_time_now();
  thread_ = std::thread([this, directory] { make(directory); });
  return true;
}

admin::BackupState Backups::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

void Backups::stop() {
  std::thread last;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
    last = std::move(thread_);
  }
  if (last.joinable()) last.join();
}

void Backups::make(const std::string& directory) {
  ::pthread_setname_np(::pthread_self(), "backup");
  telemetry::log(LogLevel::info, "backup begun", {{"directory", std::string_view(directory)}});
  try {
    const store::BackupContents contents = store_.back_up(directory, stop_);
    last_success_ = seconds(std::chrono::system_clock::now());
    telemetry::log(LogLevel::info, "backup made",
                   {{"directory", std::string_view(directory)},
                    {"files", static_cast<std::int64_t>(contents.files.size())},
                    {"bytes", static_cast<std::int64_t>(contents.bytes())}});
    end(Phase::done, {}, contents);
  } catch (const std::exception& error) {
    metrics_.store_error("backup");
    telemetry::log(LogLevel::error, "backup failed",
                   {{"directory", std::string_view(directory)}, {"error", error.what()}});
    end(Phase::failed, error.what(), {});
  }
}

void Backups::end(Phase phase, const std::string& error, const store::BackupContents& contents) {
  const std::lock_guard lock(mutex_);
  state_.phase = phase;
  state_.ended = wall_time_now();
  state_.error = error;
  state_.files = contents.files.size();
  state_.bytes = contents.bytes();
}

}  // namespace onceproxy
