// The audit log's files: whatever the bytes are, a walk goes forward and stays inside, and an entry
// behind any damage is found.
#include <cstdint>
#include <string>

#include "claim.hpp"
#include "store/audit/walk.hpp"

using namespace onceproxy::store;

namespace {

/// Decoding what was encoded from a decoded entry gives the same bytes.
void check_entry(const AuditEntry& entry) {
  std::string bytes;
  std::visit([&](const auto& one) { append(bytes, one); }, entry);
  claim(bytes.size() <= audit_entry_bytes_max, "an entry keeps its bound");
  const auto found = frame(bytes);
  claim(found && found->bytes.size() == bytes.size(), "an entry's bytes are one frame");
  const auto same = decode(*found);
  claim(same && same->index() == entry.index(), "an entry's bytes give the entry");
  std::string again;
  std::visit([&](const auto& one) { append(again, one); }, *same);
  claim(again == bytes, "an entry's bytes give the same bytes");
}

/// Whether the entry at `last` was seen; true where one swallowed it that looks whole, as those of
/// an unknown kind do, which nobody can check, and those whose sum the fuzzer has worked out.
bool sees(std::string_view bytes, std::size_t last) {
  AuditWalk walk(bytes);
  bool seen = false;
  std::size_t from = 0;
  while (const auto at = walk.next()) {
    claim(walk.offset() >= from, "a walk goes forward");
    claim(at->bytes.data() == bytes.data() + walk.offset(), "an offset is where its frame lies");
    claim(walk.offset() + at->bytes.size() <= bytes.size(), "a frame lies inside");
    from = walk.offset() + 1;
    at->time();
    at->fence();
    at->is_of(Fingerprint{});
    const bool known = at->kind != AuditKind::other;
    const auto entry = walk.entry();
    const bool over_last = walk.offset() <= last && walk.offset() + at->bytes.size() > last;
    seen = seen || (over_last && (entry || !known));
    if (entry) check_entry(*entry);
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string bytes(reinterpret_cast<const char*>(data), size);
  append(bytes, AuditForward{});
  claim(sees(bytes, size), "an entry behind damage is found");
  return 0;
}
