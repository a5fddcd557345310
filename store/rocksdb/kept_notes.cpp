#include "store/rocksdb/kept_notes.hpp"

namespace onceproxy::store {
namespace {

constexpr std::string_view key_prefix = "note ";

}  // namespace

void read_notes(const Database& database, NoteTable& notes) {
  static_cast<void>(database.scan(
      Family::meta, key_prefix, [&notes](std::string_view key, std::string_view value) {
        if (!key.starts_with(key_prefix)) return false;
        notes.found(std::string(key.substr(key_prefix.size())), std::string(value));
        return true;
      }));
}

std::string note_key(std::string_view name) {
  return std::string(key_prefix).append(name);
}

}  // namespace onceproxy::store
