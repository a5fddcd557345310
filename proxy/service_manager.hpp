// ServiceManager: tells systemd how the program stands, by the datagrams of sd_notify(3): started,
// reloading, stopping, a line of status, and that it is alive.
//
// The protocol is stable and public, and these are its forty lines: libsystemd would bring six
// libraries (3 MB) into an image where no systemd runs. Without NOTIFY_SOCKET in the environment
// nothing is ever sent. A datagram that cannot be sent is logged, once.
// Thread-safety: one thread, the main one.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace onceproxy {

class ServiceManager {
 public:
  /// As the environment says: NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.
  ServiceManager();

  /// The start is over, or a reload.
  void ready();
  void reloading();
  /// The end has begun and may take so long.
  void stopping(std::chrono::milliseconds at_most);
  /// A line for people; sent where it is another than the last.
  void status(std::string_view text);
  /// The program is alive. To be called every ping_interval(), else systemd ends it.
  void ping();

  /// Half of what systemd waits for a ping; zero: it waits for none.
  std::chrono::milliseconds ping_interval() const { return ping_interval_; }

 private:
  void send(const std::string& state);

  /// Empty: nobody is to be told.
  std::string socket_;
  std::chrono::milliseconds ping_interval_{0};
  std::string status_;
  bool failed_ = false;
};

}  // namespace onceproxy
