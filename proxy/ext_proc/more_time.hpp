// MoreTime: while something lasts (a duplicate waits, a turn does not come, a disk is slow), Envoy
// is told in time that the reply will take longer than its message_timeout. Envoy takes that once a
// message, and only up to its max_message_timeout.
// Not thread-safe: its worker's loop.
#pragma once

#include <chrono>
#include <memory>

#include "proxy/ext_proc/talk.hpp"
#include "proxy/io/side_task.hpp"
#include "store/call.hpp"

namespace onceproxy::ext_proc {

class MoreTime {
 public:
  /// Half of Envoy's default message_timeout.
  static constexpr std::chrono::milliseconds asked_after{100};

  /// Asks for `up_to` unless stop() comes first. All must outlive it.
  MoreTime(Talk& talk, store::Loop& loop, std::chrono::milliseconds up_to);
  MoreTime(const MoreTime&) = delete;
  MoreTime& operator=(const MoreTime&) = delete;

  /// To be awaited before anything else is said. Once.
  io::Task<void> stop();

 private:
  io::Task<void> ask();

  Talk& talk_;
  const std::chrono::milliseconds up_to_;
  io::SideTask asking_;
  std::unique_ptr<store::Timer> timer_;
};

}  // namespace onceproxy::ext_proc
