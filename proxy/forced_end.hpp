// ForcedEnd: from when it is made, the process has so long to end in order; then it is ended with
// exit code 0, whatever it hangs on. No promise is lost by that: what is under way stays held, as
// after a kill.
//
// It is for defects and for storage that never answers. Threads that the kernel does not let go of
// (a frozen file system) keep the process until it does.
// Thread-safety: made and destroyed by one thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace onceproxy {

class ForcedEnd {
 public:
  explicit ForcedEnd(std::chrono::milliseconds after);
  /// The end is in order.
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
