// What lies on disk: any bytes are either nothing or a value that its own bytes give again, with
// the expiry that compaction reads without reading the rest.
#include <cstdint>
#include <string>

#include "claim.hpp"
#include "store/duplicates.hpp"
#include "store/entity.hpp"
#include "store/record.hpp"
#include "store/rocksdb/rates.hpp"

using namespace onceproxy::store;

namespace {

void check_record(std::string_view bytes) {
  const auto record = decode(bytes);
  if (record) {
    const std::string again = encode(*record);
    const auto same = decode(again);
    claim(same && encode(*same) == again, "a record's bytes give the record");
    claim(decode_expiry(bytes) == record->expires, "a record expires when compaction thinks so");
    const std::string key = answer_key(Fingerprint{}, *record);
    claim(answer_key_expiry(key) == record->expires, "an answer expires with its record");
  }
  StoredAnswer answer;
  if (decode_answer(bytes, answer)) {
    claim(encode_answer(answer) == bytes, "an answer's bytes are the only ones");
  }
  answer_key_expiry(bytes);
}

void check_entity(std::string_view bytes) {
  const auto entity = decode_entity(bytes);
  if (!entity) return;
  const std::string again = encode(*entity);
  const auto same = decode_entity(again);
  claim(same && encode(*same) == again, "an entity's bytes give the entity");
  claim(decode_entity_expiry(bytes) == entity->expires, "an entity expires as compaction thinks");
}

void check_counts(std::string_view bytes) {
  if (const auto count = decode_duplicates(bytes)) {
    claim(encode(*count) == bytes, "a count's bytes are the only ones");
    claim(decode_duplicates_expiry(bytes) == count->expires,
          "a count expires as compaction thinks");
  }
  if (decode_rate(bytes)) claim(decode_rate_expiry(bytes).has_value(), "a rate has an expiry");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_record(bytes);
  check_entity(bytes);
  check_counts(bytes);
  return 0;
}
