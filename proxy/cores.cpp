#include "proxy/cores.hpp"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <string>

namespace onceproxy {

namespace {

/// The quota of cgroup v2's cpu.max ("max 100000" or "150000 100000"), rounded up to whole cores:
/// a container sees its own group there. 0: none.
std::size_t quota_cores() {
  std::ifstream file("/sys/fs/cgroup/cpu.max");
  std::string quota;
  long period = 0;
  if (!(file >> quota >> period) || quota == "max" || period <= 0) return 0;
  const long limit = std::strtol(quota.c_str(), nullptr, 10);
  return limit > 0 ? static_cast<std::size_t>((limit + period - 1) / period) : 0;
}

}  // namespace

std::size_t usable_cores() {
  cpu_set_t set;
  std::size_t cores = 1;
  if (::sched_getaffinity(0, sizeof set, &set) == 0) {
    cores = static_cast<std::size_t>(std::max(1, CPU_COUNT(&set)));
  }
  const std::size_t quota = quota_cores();
  return quota > 0 ? std::min(cores, quota) : cores;
}

}  // namespace onceproxy
