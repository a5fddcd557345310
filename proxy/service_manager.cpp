#include "proxy/service_manager.hpp"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <optional>

#include "proxy/telemetry/log.hpp"

namespace onceproxy {

namespace {

/// systemd reads at once; one that hangs must not hang the program.
constexpr timeval send_time{1, 0};

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::optional<long long> number(const std::string& text) {
  long long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// The watchdog may be meant for another process of the service.
std::chrono::milliseconds half_of_watchdog() {
  const auto time = number(variable("WATCHDOG_USEC"));
  const std::string process = variable("WATCHDOG_PID");
  if (!time || *time <= 0) return std::chrono::milliseconds(0);
  if (!process.empty() && number(process) != ::getpid()) return std::chrono::milliseconds(0);
  const std::chrono::microseconds half(*time / 2);
  return std::max(std::chrono::duration_cast<std::chrono::milliseconds>(half),
                  std::chrono::milliseconds(1));
}

std::string microseconds_monotonic() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return std::to_string(static_cast<long long>(now.tv_sec) * 1'000'000 + now.tv_nsec / 1'000);
}

/// 0, or the errno.
int send_datagram(const std::string& path, const std::string& text) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return ENAMETOOLONG;
  std::memcpy(address.sun_path, path.data(), path.size());
  // An abstract name begins with a zero byte, which the variable writes as @.
  if (path.front() == '@') address.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  const int descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (descriptor < 0) return errno;
  ::setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &send_time, sizeof send_time);
  const ssize_t sent = ::sendto(descriptor, text.data(), text.size(), MSG_NOSIGNAL,
                                reinterpret_cast<const sockaddr*>(&address), size);
  const int error = sent < 0 ? errno : 0;
  ::close(descriptor);
  return error;
}

}  // namespace

ServiceManager::ServiceManager()
    : socket_(variable("NOTIFY_SOCKET")),
      ping_interval_(socket_.empty() ? std::chrono::milliseconds(0) : half_of_watchdog()) {}

void ServiceManager::ready() {
  send("READY=1");
}

void ServiceManager::reloading() {
  send("RELOADING=1\nMONOTONIC_USEC=" + microseconds_monotonic());
}

void ServiceManager::stopping(std::chrono::milliseconds at_most) {
  const std::chrono::microseconds time = at_most;
  send("STOPPING=1\nEXTEND_TIMEOUT_USEC=" + std::to_string(time.count()));
}

void ServiceManager::status(std::string_view text) {
  if (socket_.empty() || text == status_) return;
  status_ = text;
  send("STATUS=" + status_);
}

void ServiceManager::ping() {
  send("WATCHDOG=1");
}

void ServiceManager::send(const std::string& state) {
  if (socket_.empty()) return;
  const int error = send_datagram(socket_, state);
  if (error == 0 || failed_) return;
  failed_ = true;
  telemetry::log(telemetry::LogLevel::warn, "cannot notify systemd of the state of the program",
                 {{"socket", std::string_view(socket_)}, {"error", std::strerror(error)}});
}

}  // namespace onceproxy
