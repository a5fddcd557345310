#include "store/rocksdb/record_reader.hpp"

#include <optional>
#include <string>
#include <utility>

namespace onceproxy::store {

Looked RecordReader::look(const ReserveRequest& request, WallTime now, bool claimed) const {
  Looked looked = look_at(request.fingerprint, request, now, claimed);
  const auto* const free = std::get_if<Free>(&looked);
  if (!request.earlier || free == nullptr || free->previous ||
      request.earlier->fingerprint == request.fingerprint) {
    return looked;
  }
  // Without a claim: only operators change what an earlier version wrote there.
  Looked earlier = look_at(request.earlier->fingerprint, request, now, false);
  // One that may be tried again is no attempt before one under the new fingerprint: it stays.
  if (std::holds_alternative<Free>(earlier)) return looked;
  return earlier;
}

Looked RecordReader::look_at(const Fingerprint& fingerprint, const ReserveRequest& request,
                             WallTime now, bool claimed) const {
  const auto kept = cache_.find(fingerprint);
  if (kept == nullptr || expiry(*kept, era_) <= now) {
    return read(fingerprint, request, now, claimed);
  }
  if (is_left_out(fingerprint, request, *kept)) return Free{};
  // As judge() would, without a copy of all the record.
  if (has_other_payload(*kept, request, era_)) return Mismatch{};
  return Completed{kept->answer, kept->settled, kept->trace};
}

/// Under the earlier fingerprint, a record of this version belongs to another operation.
bool RecordReader::is_left_out(const Fingerprint& fingerprint, const ReserveRequest& request,
                               const Record& record) const {
  return fingerprint != request.fingerprint && record.fence > era_.earlier_digests_fence;
}

Looked RecordReader::read(const Fingerprint& fingerprint, const ReserveRequest& request,
                          WallTime now, bool claimed) const {
  std::optional<Record> record;
  const CompletedCache::Generation before = claimed ? cache_.generation(fingerprint) : 0;
  {
    Database::Found found;
    database_.get(Family::records, fingerprint.view(), found);
    if (found.failed()) return read_failed(found.error());
    if (found.present()) {
      record = decode(found.value());
      if (!record) return undecodable(fingerprint);
    }
  }
  if (record && is_left_out(fingerprint, request, *record)) return Free{};
  const bool completed = record && record->state == Record::State::completed &&
                         expiry(*record, era_) > now && !has_other_payload(*record, request, era_);
  if (completed && record->answer_apart) {
    Database::Found found;
    database_.get(Family::answers, answer_key(fingerprint, *record), found);
    if (found.failed()) return read_failed(found.error());
    if (!found.present() || !decode_answer(found.value(), record->answer)) {
      return undecodable(fingerprint);
    }
    record->answer_apart = false;
  }
  if (completed && claimed) cache_.add(fingerprint, *record, before);
  auto verdict = judge(std::move(record), request, era_, now);
  return std::visit([](auto&& what) -> Looked { return std::move(what); }, std::move(verdict));
}

Unavailable RecordReader::read_failed(std::string_view detail) const {
  if (observer_.failed) observer_.failed("read", detail);
  return {Unavailable::Reason::failed};
}

Unavailable RecordReader::undecodable(const Fingerprint& fingerprint) const {
  if (observer_.failed) observer_.failed("decode", fingerprint.hex());
  return {Unavailable::Reason::corrupt};
}

}  // namespace onceproxy::store
