// How many cores this process may use: what its affinity and its cgroup's quota allow, at least
// one.
#pragma once

#include <cstddef>

namespace onceproxy {

std::size_t usable_cores();

}  // namespace onceproxy
