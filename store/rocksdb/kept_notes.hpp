// Where the RocksDB store keeps its notes (store/note_table.hpp): in the family `meta`, under "note
// " and their name. The committer writes those that have changed with its tick.
#pragma once

#include <string>
#include <string_view>

#include "store/note_table.hpp"
#include "store/rocksdb/database.hpp"

namespace onceproxy::store {

/// Reads all notes. Call it once at startup, on an open database. A note that cannot be read is
/// treated as if it had never been kept.
void read_notes(const Database& database, NoteTable& notes);

/// The key of the note with this name.
std::string note_key(std::string_view name);

}  // namespace onceproxy::store
