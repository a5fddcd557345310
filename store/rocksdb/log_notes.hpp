// LogNotes: which write-ahead logs there are, and how long each is at least, written down apart
// from them. A log that was cut, or removed, looks like one that ends there: only a reader that
// knows how long it was can tell.
//
// A note is made after what it says is on disk, and taken back before it stops being true. After a
// power failure between the two writes, the note therefore states less than is on disk, never more.
//
// The file LOGS, sectors of 512 bytes, each written whole and synced, in place:
//
//   sector := number " " bytes " " kind " " sum "\n" zeros      ; a log
//           | zeros                                             ; nothing
//   number, bytes := decimal digits
//   kind   := "strict"   every write was on disk before the next began
//           | "loose"    what lies behind `bytes` may be on disk in any parts
//   sum    := CRC-32C of what stands before it, the last space excluded, as 8 hexadecimal digits
//
// A sector that is neither says nothing.
//
// Thread-safe.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

namespace onceproxy::store {

class LogNotes {
 public:
  static constexpr const char* name = "LOGS";

  explicit LogNotes(std::filesystem::path directory) : directory_(std::move(directory)) {}
  ~LogNotes() { close(); }
  LogNotes(const LogNotes&) = delete;
  LogNotes& operator=(const LogNotes&) = delete;

  struct Note {
    /// The file has at least this length, and it is on disk up to there.
    std::uint64_t bytes = 0;
    /// Every write of it is on disk before the next begins.
    bool strict = false;
  };

  /// Forgets what it knows and reads the file; without one there are no notes, as an earlier
  /// version leaves it. Throws std::system_error if the file is there and cannot be read.
  void read();
  void close();

  /// Durable when it returns without an error. Makes the file if there is none. Above 4,096 logs
  /// no more are noted.
  std::error_code note(std::uint64_t log, Note note);
  /// The same for a log whose file was just made: its name is on disk too when this returns.
  std::error_code note_new(std::uint64_t log, Note note);
  std::error_code forget(std::uint64_t log);

  std::optional<Note> find(std::uint64_t log) const;
  std::map<std::uint64_t, Note> all() const;

  /// What is wrong if the file that is written to is no longer the one that the next start will
  /// read.
  std::optional<std::string> problem() const;

 private:
  std::error_code open();
  std::error_code write(std::size_t slot, const std::string& text);
  std::size_t free_slot() const;

  const std::filesystem::path directory_;
  mutable std::mutex mutex_;
  int file_ = -1;
  std::map<std::uint64_t, Note> notes_;
  /// Which log each sector is about; 0: none.
  std::vector<std::uint64_t> slots_;
};

}  // namespace onceproxy::store
