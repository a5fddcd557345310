#include "proxy/cli/doctor/host_checks.hpp"

#include <sys/resource.h>
#include <sys/timex.h>
#include <unistd.h>

#include <chrono>

namespace onceproxy::doctor {
namespace {

/// Files of the store, the listeners, the admin ports' connections.
constexpr std::size_t own_descriptors = 500;

}  // namespace

std::vector<Finding> check_clock() {
  Findings out("clock");
  // No clock that is right shows a time before this program was written.
  const auto earliest = std::chrono::sys_days(std::chrono::year{2024} / 1 / 1);
  if (std::chrono::system_clock::now() < earliest) {
    out.fail("the wall clock shows a time before 2024", "set it, and run an NTP client");
    return out.take();
  }
  timex clock{};
  const int state = ::adjtimex(&clock);
  if (state == TIME_ERROR || (clock.status & STA_UNSYNC) != 0) {
    out.warn("the kernel reports that no NTP client synchronizes the wall clock",
             "run chrony or systemd-timesyncd on the machine; windows are measured with its clock");
  } else {
    out.ok("an NTP client keeps it right, to " + std::to_string(clock.maxerror / 1000) + " ms");
  }
  return out.take();
}

std::vector<Finding> check_descriptors(const config::Settings& settings) {
  Findings out("descriptors");
  const std::size_t wanted =
      settings.limits.connections + settings.upstream.connections_max + own_descriptors;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return out.take();
  const auto most = static_cast<std::uint64_t>(limit.rlim_max);
  if (limit.rlim_max != RLIM_INFINITY && most < wanted) {
    out.warn("at most " + std::to_string(most) + " may be open, but " + std::to_string(wanted) +
                 " are needed when limits.connections and upstream.max_connections are used up",
             "raise LimitNOFILE= or `ulimit -Hn`, or lower limits.connections");
  } else {
    out.ok("enough for limits.connections and upstream.max_connections");
  }
  return out.take();
}

std::vector<Finding> check_user() {
  Findings out("user");
  if (::geteuid() == 0) {
    out.warn("this is root", "run onceproxy, and this command, as a user of its own");
  } else {
    out.ok("user " + std::to_string(::geteuid()));
  }
  return out.take();
}

}  // namespace onceproxy::doctor
