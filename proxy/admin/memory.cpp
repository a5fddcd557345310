#include "proxy/admin/memory.hpp"

#include <malloc.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <fstream>

/// jemalloc's, if the program is linked with it.
extern "C" int mallctl(const char* name, void* old, std::size_t* old_size, void* fresh,
                       std::size_t fresh_size) __attribute__((weak));

namespace onceproxy::admin {
namespace {

struct Heap {
  std::size_t allocated = 0;
  std::size_t size = 0;
};

Heap read_heap() {
  if (mallctl != nullptr) {
    // The figures are those of the last epoch.
    std::uint64_t epoch = 1;
    std::size_t size = sizeof epoch;
    mallctl("epoch", &epoch, &size, &epoch, size);
    Heap heap;
    size = sizeof heap.allocated;
    mallctl("stats.allocated", &heap.allocated, &size, nullptr, 0);
    mallctl("stats.resident", &heap.size, &size, nullptr, 0);
    return heap;
  }
  const struct mallinfo2 info = mallinfo2();
  return {info.uordblks + info.hblkhd, info.arena + info.hblkhd};
}

std::size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::size_t total_pages = 0, resident_pages = 0;
  file >> total_pages >> resident_pages;
  return resident_pages * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

telemetry::Json memory() {
  const Heap heap = read_heap();
  return telemetry::JsonObject({{"allocated", std::to_string(heap.allocated)},
                                {"heap_size", std::to_string(heap.size)},
                                {"total_physical_bytes", std::to_string(resident_bytes())}});
}

}  // namespace onceproxy::admin
