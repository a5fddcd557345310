// AuditSearch: one series of the audit log, read backwards for what a query asks for, in the order
// of the entries' times. Entries lie in their files in the order in which they were appended, which
// may be a moment after they happened; so an item is shown only once nothing that is still to be
// read can be newer. What a file begins with says so of the files before it. Private to
// audit_query. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "store/audit/query.hpp"
#include "store/audit/series.hpp"

namespace onceproxy::store {

class AuditSearch {
 public:
  /// All must outlive it. `bytes_left`: what may still be read, shared with other searches.
  AuditSearch(const AuditSeries& series, const AuditQuery& query, WallTime oldest,
              const AuditCursor::Place& from, std::uint64_t& bytes_left);

  /// Looks for the next item. False if there is none, or no more may be read: see exhausted().
  bool seek();
  /// There is nothing more to be found.
  bool exhausted() const { return matches_.empty() && left_ == 0; }
  /// seek() was true: when, and what.
  WallTime time() const;
  AuditItem item() const;
  void pop();
  /// Where to continue.
  AuditCursor::Place place() const;

 private:
  using Position = AuditCursor::Position;
  /// A file's bytes, kept as long as something in them is still to be shown.
  using Bytes = std::shared_ptr<const std::string>;
  struct Match {
    Position position;
    Bytes bytes;
    AuditEnd end;
  };
  /// What reading one file through has to find out.
  struct Reading {
    /// Forwards of this file without an ending so far, and their match, if they are one.
    std::unordered_map<std::uint64_t, std::optional<std::size_t>> open;
    std::vector<Match> matches;
    bool started = false;
    /// No entry in older files is newer.
    std::optional<WallTime> older_until;
  };

  bool asks_for(const AuditFrame& frame) const;
  bool asks_for(const AuditEntry& entry) const;
  bool is_next(const Match& match) const;
  std::size_t bytes_kept();
  void load(std::size_t index);
  void read(std::uint64_t file, const Bytes& bytes, bool wanted, Reading& reading);
  void tie(const AuditEnding& ending, Reading& reading);
  static void orphan(Reading& reading);
  void settle(Reading& reading);

  const AuditSeries& series_;
  const AuditQuery& query_;
  const WallTime since_;
  std::uint64_t& bytes_left_;
  const AuditCursor::Place from_;
  /// Everything from here on has been shown.
  Position before_;

  const std::vector<AuditSeries::File> files_;
  /// Files before this one are still to be read.
  std::size_t left_ = 0;
  /// Those from `left_` up to here have been.
  std::size_t ahead_ = 0;
  /// No entry in the files that are still to be read is newer.
  WallTime older_until_{};
  /// Found and not shown yet, oldest first.
  std::vector<Match> matches_;
  std::vector<Bytes> kept_;

  /// Handover in what has been read whose forwards are older.
  std::unordered_map<std::uint64_t, AuditEnd> handover_;
  /// A process began in what has been read: requests that were forwarded before it have no process
  /// any more.
  bool started_ = false;
};

}  // namespace onceproxy::store
