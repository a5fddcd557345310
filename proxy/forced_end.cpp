#include "proxy/forced_end.hpp"

#include <cstdlib>
#include <future>

#include "proxy/telemetry/log.hpp"

namespace onceproxy {

ForcedEnd::ForcedEnd(std::chrono::milliseconds after) : thread_([this, after] { watch(after); }) {}

ForcedEnd::~ForcedEnd() {
  {
    const std::lock_guard lock(mutex_);
    in_order_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void ForcedEnd::watch(std::chrono::milliseconds after) {
  std::unique_lock lock(mutex_);
  if (changed_.wait_for(lock, after, [this] { return in_order_; })) return;
  // The log may be what hangs.
  std::promise<void> told;
  std::thread([&told, after] {
    telemetry::log(telemetry::LogLevel::error,
                   "the end takes too long; what was under way is left as after a kill",
                   {{"waited_ms", static_cast<std::int64_t>(after.count())}});
    told.set_value();
  }).detach();
  told.get_future().wait_for(std::chrono::seconds(1));
  // No destructor runs: one of them may be what hangs.
  std::_Exit(EXIT_SUCCESS);
}

}  // namespace onceproxy
