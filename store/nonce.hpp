// Random nonces for permits. They must never meet twice in one store, and need not be secret: a
// permit never leaves the process, so a guessed one cannot be presented. Hence a fast generator
// per thread, seeded from the kernel, and no system call per request.
// Thread-safe.
#pragma once

#include "store/permit.hpp"

namespace onceproxy::store {

/// Throws std::system_error where the kernel gives no random seed to a thread's first call.
Nonce random_nonce();

}  // namespace onceproxy::store
