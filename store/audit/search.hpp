// AuditSearch: one series of the audit log, read backwards for what a query asks for. Private to
// audit_query. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
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
              AuditCursor::Place from, std::uint64_t& bytes_left);

  /// Looks for the next item. False where there is none, or no more may be read: see exhausted().
  bool seek();
  /// There is nothing more to be found.
  bool exhausted() const { return matches_.empty() && left_ == 0; }
  /// seek() was true: when, and what.
  WallTime time() const { return matches_.back().time; }
  AuditItem item() const;
  void pop();
  /// Where to go on. Files are numbered from 1.
  AuditCursor::Place place() const { return exhausted() ? AuditCursor::Place{0, 0} : place_; }

 private:
  struct Match {
    std::size_t offset;
    WallTime time;
    AuditEnd end;
  };
  /// What reading one file through has to find out.
  struct Reading {
    /// Forwards of this file without an ending so far, and their match, if they are one.
    std::unordered_map<std::uint64_t, std::optional<std::size_t>> open;
    std::vector<Match> matches;
    bool started = false;
  };

  bool asks_for(const AuditFrame& frame) const;
  bool asks_for(const AuditEntry& entry) const;
  void load(std::size_t index);
  void read(std::string_view bytes, std::uint64_t end, Reading& reading);
  void tie(const AuditEnding& ending, Reading& reading);
  static void orphan(Reading& reading);
  void settle(Reading& reading);

  const AuditSeries& series_;
  const AuditQuery& query_;
  const WallTime since_;
  std::uint64_t& bytes_left_;
  AuditCursor::Place place_;

  const std::vector<AuditSeries::File> files_;
  /// Files before this one are still to be read.
  std::size_t left_ = 0;
  /// Those from `left_` up to here have been.
  std::size_t ahead_ = 0;
  bool loaded_ = false;
  std::string bytes_;
  std::vector<Match> matches_;  // of `bytes_`, oldest first

  /// Handover in what has been read whose forwards are older.
  std::unordered_map<std::uint64_t, AuditEnd> handover_;
  /// A process began in what has been read: requests that were forwarded before it have no process
  /// any more.
  bool started_ = false;
};

}  // namespace onceproxy::store
