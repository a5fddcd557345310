// CRC-32C, Castagnoli's (RFC 3720, appendix B.4), which RocksDB's log is written with. Uses the
// processor's own instruction if there is one: a restart reads all of the log. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace onceproxy::store {

std::uint32_t crc32c(std::string_view bytes);

/// The same without the instruction, some fifteen times slower.
std::uint32_t crc32c_by_table(std::string_view bytes);

}  // namespace onceproxy::store
