#include "store/rocksdb/record_reader.hpp"

#include <optional>
#include <string>
#include <utility>

#include "store/rocksdb/reservations.hpp"

namespace onceproxy::store {

Looked RecordReader::look(const ReserveRequest& request, WallTime now, bool claimed) const {
  const auto kept = cache_.find(request.fingerprint);
  if (kept == nullptr || expiry(*kept, era_) <= now) return read(request, now, claimed);
  auto verdict = judge(*kept, request, era_, now);
  return std::visit([](auto&& what) -> Looked { return std::move(what); }, std::move(verdict));
}

Looked RecordReader::read(const ReserveRequest& request, WallTime now, bool claimed) const {
  std::optional<Record> record;
  const CompletedCache::Generation before = claimed ? cache_.generation(request.fingerprint) : 0;
  {
    Database::Found found;
    database_.get(Family::records, request.fingerprint.view(), found);
    if (found.failed()) return read_failed(found.error());
    if (found.present()) {
      record = decode(found.value());
      if (!record) return undecodable(request.fingerprint);
    }
  }
  const bool completed = record && record->state == Record::State::completed &&
                         expiry(*record, era_) > now && !differ(record->payload, request.payload);
  if (completed && record->answer_apart) {
    Database::Found found;
    database_.get(Family::answers, answer_key(request.fingerprint, *record), found);
    if (found.failed()) return read_failed(found.error());
    if (!found.present() || !decode_answer(found.value(), record->answer)) {
      return undecodable(request.fingerprint);
    }
    record->answer_apart = false;
  }
  if (completed && claimed) cache_.add(request.fingerprint, *record, before);
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
