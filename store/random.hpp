// Random numbers: the kernel's, which are cryptographically random. Everything that needs some
// takes them here (nonces, request ids, the ids of traces, the key that disguises captured values);
// only the keys of TLS tickets come from OpenSSL.
//
// Each thread fetches 4 KiB at once: a system call for every 16 bytes took 860 ns, one for 4 KiB
// takes 60 ns a piece of 16 (GCC 12 at -O2, loaded machine). A piece is erased once it is given
// out. A process must not fork and go on with both.
//
// Thread-safe. The first call of a thread throws std::system_error where the kernel has no random
// numbers; later ones do not fail.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace onceproxy::store {

void fill_random(std::span<std::uint8_t> out);

std::uint64_t random_number();

/// A version 4 UUID (RFC 9562 5.4): 36 characters, lower case.
std::string random_uuid();

}  // namespace onceproxy::store
