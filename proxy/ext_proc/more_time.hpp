// MoreTime: during a long wait (for a duplicate, a turn, or a slow disk) it tells Envoy that the
// reply will take longer than message_timeout. Envoy accepts this once per message, and ignores it
// if the time is longer than its max_message_timeout. Not thread-safe: used on its worker's loop.
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
  /// The largest max_message_timeout that Envoy accepts.
  static constexpr std::chrono::seconds up_to_max{3'600};

  /// Requests `up_to` more time, or up_to_max if that is less, unless stop() is called first. All
  /// arguments must outlive the object.
  MoreTime(Talk& talk, store::Loop& loop, std::chrono::milliseconds up_to);
  MoreTime(const MoreTime&) = delete;
  MoreTime& operator=(const MoreTime&) = delete;

  /// Must be awaited before any other reply is sent. Called once.
  io::Task<void> stop();

 private:
  io::Task<void> ask();

  Talk& talk_;
  const std::chrono::milliseconds up_to_;
  io::SideTask asking_;
  std::unique_ptr<store::Timer> timer_;
};

}  // namespace onceproxy::ext_proc
