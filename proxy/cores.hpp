// The number of cores that this process may use according to its affinity and its cgroup's quota,
// at least one.
#pragma once

#include <cstddef>

namespace onceproxy {

std::size_t usable_cores();

}  // namespace onceproxy
