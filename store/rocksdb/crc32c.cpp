#include "store/rocksdb/crc32c.hpp"

#include <boost/crc.hpp>
#include <cstddef>
#include <cstring>

namespace onceproxy::store {

#ifdef __x86_64__
namespace {

__attribute__((target("sse4.2"))) std::uint32_t by_instruction(std::string_view bytes) {
  std::uint64_t sum = 0xFFFFFFFF;
  std::size_t at = 0;
  for (; at + 8 <= bytes.size(); at += 8) {
    std::uint64_t eight;
    std::memcpy(&eight, bytes.data() + at, sizeof eight);
    sum = __builtin_ia32_crc32di(sum, eight);
  }
  auto rest = static_cast<std::uint32_t>(sum);
  for (; at < bytes.size(); ++at) {
    rest = __builtin_ia32_crc32qi(rest, static_cast<unsigned char>(bytes[at]));
  }
  return ~rest;
}

}  // namespace
#endif

std::uint32_t crc32c_by_table(std::string_view bytes) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return static_cast<std::uint32_t>(crc.checksum());
}

std::uint32_t crc32c(std::string_view bytes) {
#ifdef __x86_64__
  static const bool supported = __builtin_cpu_supports("sse4.2") != 0;
  if (supported) return by_instruction(bytes);
#endif
  return crc32c_by_table(bytes);
}

}  // namespace onceproxy::store
