#include "proxy/telemetry/process_metrics.hpp"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>

namespace onceproxy::telemetry {
namespace {

/// From /proc/self/stat (proc(5)).
struct ProcessStat {
  double cpu_seconds = 0;
  double started_after_boot_seconds = 0;
  double virtual_bytes = 0;
  double resident_bytes = 0;
};

std::optional<ProcessStat> read_stat() {
  std::ifstream file("/proc/self/stat");
  std::string text;
  std::getline(file, text);
  // The second field is the program's name in parentheses and may hold spaces and parentheses.
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  const auto skip = [&](int count) {
    while (count-- > 0) fields >> skipped;
  };
  std::uint64_t user = 0, system = 0, started = 0, virtual_bytes = 0, resident_pages = 0;
  skip(11);  // fields 3 to 13
  fields >> user >> system;
  skip(6);  // fields 16 to 21
  fields >> started >> virtual_bytes >> resident_pages;
  if (!fields) return std::nullopt;
  const double ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  const double page = static_cast<double>(sysconf(_SC_PAGESIZE));
  return ProcessStat{static_cast<double>(user + system) / ticks,
                     static_cast<double>(started) / ticks, static_cast<double>(virtual_bytes),
                     static_cast<double>(resident_pages) * page};
}

/// Read once: it never changes, and /proc/stat is long if there are many cores.
std::optional<double> boot_time() {
  static const std::optional<double> time = []() -> std::optional<double> {
    std::ifstream file("/proc/stat");
    std::string key, rest;
    while (file >> key) {
      double value = 0;
      if (key == "btime" && file >> value) return value;
      std::getline(file, rest);
    }
    return std::nullopt;
  }();
  return time;
}

std::optional<double> open_descriptors() {
  DIR* directory = opendir("/proc/self/fd");
  if (directory == nullptr) return std::nullopt;
  double count = 0;
  while (const dirent* entry = readdir(directory))
    if (entry->d_name[0] != '.') ++count;
  closedir(directory);
  return count - 1;  // the directory's own
}

std::optional<double> soft_limit(decltype(RLIMIT_NOFILE) resource) {
  rlimit limit{};
  if (getrlimit(resource, &limit) != 0) return std::nullopt;
  if (limit.rlim_cur == RLIM_INFINITY) return std::numeric_limits<double>::infinity();
  return static_cast<double>(limit.rlim_cur);
}

void append(std::vector<prometheus::MetricFamily>& families, std::string_view name,
            std::string_view help, prometheus::MetricType type, std::optional<double> value) {
  if (!value) return;
  prometheus::ClientMetric metric;
  metric.counter.value = *value;
  metric.gauge.value = *value;
  families.push_back({std::string(name), std::string(help), type, {std::move(metric)}});
}

}  // namespace

void append_process_metrics(std::vector<prometheus::MetricFamily>& families) {
  using Type = prometheus::MetricType;
  if (const std::optional<ProcessStat> stat = read_stat()) {
    append(families, "process_cpu_seconds_total", "User and system CPU time, in seconds.",
           Type::Counter, stat->cpu_seconds);
    append(families, "process_resident_memory_bytes", "Resident memory.", Type::Gauge,
           stat->resident_bytes);
    append(families, "process_virtual_memory_bytes", "Virtual memory.", Type::Gauge,
           stat->virtual_bytes);
    if (const std::optional<double> boot = boot_time())
      append(families, "process_start_time_seconds",
             "When the process started, in seconds since the epoch.", Type::Gauge,
             *boot + stat->started_after_boot_seconds);
  }
  append(families, "process_open_fds", "Open file descriptors.", Type::Gauge, open_descriptors());
  append(families, "process_max_fds", "Maximum number of open file descriptors.", Type::Gauge,
         soft_limit(RLIMIT_NOFILE));
  append(families, "process_virtual_memory_max_bytes", "Maximum amount of virtual memory.",
         Type::Gauge, soft_limit(RLIMIT_AS));
}

}  // namespace onceproxy::telemetry
