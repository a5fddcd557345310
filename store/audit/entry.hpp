// What the audit log says, entry by entry, and its bytes. Pure: no I/O, no clock. The grammar
// stands above the codec in entry.cpp. Views in a decoded entry point into the bytes it was
// read from. Thread-safe as any value is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "store/fingerprint.hpp"
#include "store/subject.hpp"
#include "store/wall_time.hpp"

namespace onceproxy::store {

/// A reservation is durable: its request may have been forwarded from then on.
struct AuditForward {
  WallTime time{};
  /// Ties it to its ending: no other forward has it.
  std::uint64_t fence = 0;
  std::uint32_t attempt = 1;
  Fingerprint fingerprint;
  std::string_view policy;
  std::string_view request_id;
  std::string_view trace_id;
  Subject subject = {};
};

/// What became of a forward.
struct AuditEnding {
  enum class How : std::uint8_t {
    completed = 1,  ///< it happened
    released = 2,   ///< it did not happen: the fingerprint was free again
    unknown = 3,    ///< it is unknown whether it happened
  };
  WallTime time{};
  std::uint64_t fence = 0;
  How how = How::unknown;
  /// What the upstream answered; 0: nothing that could be believed.
  int status = 0;
  /// Why there is no answer.
  std::string_view error;
};

/// A request that got no reservation: a duplicate, a refusal, or one that was let through
/// unprotected.
struct AuditRefusal {
  WallTime time{};
  /// Absent if the request has none: a selected field was missing.
  std::optional<Fingerprint> fingerprint;
  std::string_view decision;
  /// What would have been decided, if the policy only watches.
  std::string_view shadow;
  std::string_view policy;
  std::string_view request_id;
  std::string_view trace_id;
  Subject subject = {};
  /// Which field is missing, or what is wrong with one; never what it holds.
  std::string_view error = {};
};

/// What an operator did.
struct AuditAction {
  WallTime time{};
  std::string_view action = {};
  std::string_view target = {};
  std::string_view detail = {};
  /// Where it came from: an address.
  std::string_view from = {};
  /// What it was answered; 0: nothing.
  int status = 0;
  /// Of the record that it touched, or of the policy itself.
  std::string_view policy = {};
  Subject subject = {};
};

/// A process opened the log. Forwards without an outcome belong to a process that has ended.
struct AuditStart {
  WallTime time{};
};

/// Begins a file. No entry in the files before it has a later time.
struct AuditFile {
  WallTime time{};
};

using AuditEntry =
    std::variant<AuditForward, AuditEnding, AuditRefusal, AuditAction, AuditStart, AuditFile>;

/// No entry takes more bytes; texts are cut to their bounds.
inline constexpr std::size_t audit_entry_bytes_max = 3'072;

/// Appends one entry's bytes, at most audit_entry_bytes_max.
void append(std::string& out, const AuditForward& entry);
void append(std::string& out, const AuditEnding& entry);
void append(std::string& out, const AuditRefusal& entry);
void append(std::string& out, const AuditAction& entry);
void append(std::string& out, const AuditStart& entry);
void append(std::string& out, const AuditFile& entry);

enum class AuditKind : std::uint8_t { other, forward, ending, refusal, action, start, file };

/// One entry's bytes, whose length has been checked and whose content has not.
struct AuditFrame {
  /// `other`: not one that this version knows.
  AuditKind kind{};
  std::string_view bytes;

  // What a search looks at before it pays for a decode. Not to be believed before that.
  WallTime time() const;
  /// An ending's or a forward's.
  std::uint64_t fence() const;
  /// A forward's or a refusal's.
  bool is_of(const Fingerprint& fingerprint) const;
};

/// The entry that `bytes` begin with; nothing if that is none, or not all of one.
std::optional<AuditFrame> frame(std::string_view bytes);

/// Checks the sum, then reads. Nothing if a bit is wrong.
std::optional<AuditEntry> decode(const AuditFrame& frame);

}  // namespace onceproxy::store
