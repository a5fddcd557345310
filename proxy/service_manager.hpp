// ServiceManager: notifies systemd with the datagrams of sd_notify(3): started, reloading,
// stopping, a status line, and the watchdog.
//
// The protocol is stable and public and needs only forty lines; libsystemd would add six libraries
// (3 MB) to an image in which no systemd runs. Without NOTIFY_SOCKET in the environment nothing is
// sent. A datagram that cannot be sent is logged once. Thread-safety: used by the main thread.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace onceproxy {

class ServiceManager {
 public:
  /// Configured by the environment: NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.
  ServiceManager();

  /// The start, or a reload, has finished.
  void ready();
  void reloading();
  /// The shutdown has begun and may take this time.
  void stopping(std::chrono::milliseconds at_most);
  /// A status line for people; it is sent if it has changed.
  void status(std::string_view text);
  /// The program is alive. If this is not called every ping_interval(), systemd restarts the
  /// program.
  void ping();

  /// Half of systemd's watchdog time; zero: there is no watchdog.
  std::chrono::milliseconds ping_interval() const { return ping_interval_; }

 private:
  void send(const std::string& state);

  /// Empty: nothing is sent.
  std::string socket_;
  std::chrono::milliseconds ping_interval_{0};
  std::string status_;
  bool failed_ = false;
};

}  // namespace onceproxy
