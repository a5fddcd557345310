#include "store/record_reader.hpp"

#include <optional>
#include <string>
#include <utility>

namespace onceproxy::store {

Looked RecordReader::look(const ReserveRequest& request, WallTime now) const {
  std::optional<Record> record;
  {
    Database::Found found;
    database_.get(Family::records, request.fingerprint.view(), found);
    if (found.failed()) return read_failed(found.error());
    if (found.present()) {
      record = decode(found.value());
      if (!record) return undecodable(request.fingerprint);
    }
  }
  const bool apart = record && record->answer_apart;
  const std::string key = apart ? answer_key(request.fingerprint, *record) : std::string();
  auto verdict = judge(std::move(record), request, era_, now);
  if (auto* const completed = std::get_if<Completed>(&verdict); completed && apart) {
    Database::Found found;
    database_.get(Family::answers, key, found);
    if (found.failed()) return read_failed(found.error());
    if (!found.present() || !decode_answer(found.value(), completed->answer)) {
      return undecodable(request.fingerprint);
    }
  }
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
