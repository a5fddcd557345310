// ForcedEnd: limits the time for an orderly shutdown. When the time has passed, the process is
// ended with exit code 0, even if it hangs. No guarantee is violated: requests under way stay held,
// as after a kill.
//
// It handles defects and storage that never answers. Threads that the kernel does not release (a
// frozen file system) keep the process until it does. Thread-safety: created and destroyed by one
// thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace onceproxy {

class ForcedEnd {
 public:
  explicit ForcedEnd(std::chrono::milliseconds after);
  /// The shutdown was orderly.
  ~ForcedEnd();
  ForcedEnd(const ForcedEnd&) = delete;
  ForcedEnd& operator=(const ForcedEnd&) = delete;

 private:
  void watch(std::chrono::milliseconds after);

  std::mutex mutex_;
  std::condition_variable changed_;
  bool in_order_ = false;
  std::thread thread_;
};

}  // namespace onceproxy
