#include "store/audit/entry.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "store/codec.hpp"

namespace onceproxy::store {

// An entry, all numbers little-endian, all times milliseconds since 1970 (signed 64 bits):
//
//   entry    := size kind check sum content
//   size     := u16       bytes of the content
//   kind     := u8        2 ending, 5 start, 6 forward, 7 refusal, 8 action, 9 file;
//                         earlier versions wrote 1 forward, 3 refusal, 4 action
//   check    := u8        of size and kind, so that a damaged length is detected
//   sum      := u32       of size, kind, check and content
//
//   forward  := time fence fingerprint attempt policy request_id trace_id [subject]
//   ending   := time fence how status error
//   refusal  := time present [fingerprint] decision shadow policy request_id trace_id
//               [subject error]
//   action   := time action target detail from status [policy subject]
//   start    := time
//   file     := time      no entry in the files before this one has a later time
//
//   subject  := path entity_type entity_id
//
//   time     := i64
//   fence    := u64
//   fingerprint := 32 bytes     only if present is 1
//   present  := u8        0 | 1
//   attempt  := u32       from 1
//   how      := u8        1 completed, 2 released, 3 unknown
//   status   := u16       0: none
//   policy, request_id, trace_id, error, decision, shadow, action, target, from, path,
//   entity_type, entity_id := u8 length, bytes
//   detail   := u16 length, bytes
//
// What stands in brackets is not in the kinds of earlier versions. A new field means a new kind; a
// kind that this code does not know is passed over. Bytes that are no entry (a write cut short,
// zeros after a power cut) are passed over up to the next one.
namespace {

constexpr std::size_t header_bytes = 8;
constexpr std::size_t policy_max = 63;
constexpr std::size_t trace_id_max = 32;
constexpr std::size_t word_max = 31;
constexpr std::size_t text_max = 255;
constexpr std::size_t detail_max = 1'024;
constexpr std::size_t type_max = 63;
constexpr std::size_t content_bytes_max = audit_entry_bytes_max - header_bytes;

/// A kind as it is written.
enum class Written : std::uint8_t {
  first_forward = 1,
  ending,
  first_refusal,
  first_action,
  start,
  forward,
  refusal,
  action,
  file,
};

AuditKind kind_of(Written written) {
  switch (written) {
    case Written::first_forward:
    case Written::forward:
      return AuditKind::forward;
    case Written::ending:
      return AuditKind::ending;
    case Written::first_refusal:
    case Written::refusal:
      return AuditKind::refusal;
    case Written::first_action:
    case Written::action:
      return AuditKind::action;
    case Written::start:
      return AuditKind::start;
    case Written::file:
      return AuditKind::file;
  }
  return AuditKind::other;
}

Written written_kind(std::string_view frame) {
  return static_cast<Written>(frame[2]);
}

/// Never 0 for zeros.
std::uint8_t check_of(std::size_t size, std::uint8_t kind) {
  return static_cast<std::uint8_t>(0xA5 + 31 * (size & 0xff) + 57 * (size >> 8) + 91 * kind);
}

/// Eight bytes a step, which a CRC from a library takes five times as long for. It need not stop
/// anybody who means harm, only accidents.
std::uint32_t sum_of(std::string_view head, std::string_view content) {
  constexpr std::uint64_t odd = 0x9E3779B97F4A7C15;
  std::uint64_t sum = content.size();
  const auto fold = [&](const char* eight) {
    std::uint64_t word = 0;
    std::memcpy(&word, eight, sizeof word);
    if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
    sum = (sum ^ word) * odd;
    sum ^= sum >> 32;
  };
  const auto take = [&](std::string_view bytes) {
    for (; bytes.size() >= 8; bytes.remove_prefix(8)) fold(bytes.data());
    if (bytes.empty()) return;
    std::array<char, 8> rest{};
    bytes.copy(rest.data(), bytes.size());
    fold(rest.data());
  };
  take(head);
  take(content);
  return static_cast<std::uint32_t>(sum ^ sum >> 29);
}

/// One entry's content, built in place: allocating for each would cost more than all the rest.
class ContentWriter : public BasicWriter<FixedBytes<content_bytes_max>> {
 public:
  explicit ContentWriter(Written kind) : kind_(static_cast<std::uint8_t>(kind)) {}

  void subject(const Subject& subject) {
    short_text(subject.path, text_max);
    short_text(subject.entity_type, type_max);
    short_text(subject.entity_id, text_max);
  }
  /// Appends the entry.
  void append_to(std::string& out) const {
    const std::string_view content(out_.data(), out_.size());
    BasicWriter<FixedBytes<header_bytes>> header;
    header.number(static_cast<std::uint16_t>(content.size()));
    header.number(kind_);
    header.number(check_of(content.size(), kind_));
    header.number(sum_of({header.out().data(), header.out().size()}, content));
    out.append(header.out().data(), header.out().size()).append(content);
  }

 private:
  const std::uint8_t kind_;
};

Subject read_subject(Reader& in) {
  Subject subject;
  subject.path = in.short_text();
  subject.entity_type = in.short_text();
  subject.entity_id = in.short_text();
  return subject;
}

std::optional<AuditEntry> read_forward(Reader& in, bool first) {
  AuditForward entry;
  entry.time = in.time();
  entry.fence = in.number<std::uint64_t>();
  in.into(entry.fingerprint.bytes);
  entry.attempt = in.number<std::uint32_t>();
  entry.policy = in.short_text();
  entry.request_id = in.short_text();
  entry.trace_id = in.short_text();
  if (!first) entry.subject = read_subject(in);
  return entry;
}

std::optional<AuditEntry> read_ending(Reader& in) {
  AuditEnding entry;
  entry.time = in.time();
  entry.fence = in.number<std::uint64_t>();
  const auto how = in.number<std::uint8_t>();
  if (how < 1 || how > 3) return std::nullopt;
  entry.how = static_cast<AuditEnding::How>(how);
  entry.status = in.number<std::uint16_t>();
  entry.error = in.short_text();
  return entry;
}

std::optional<AuditEntry> read_refusal(Reader& in, bool first) {
  AuditRefusal entry;
  entry.time = in.time();
  const auto present = in.number<std::uint8_t>();
  if (present > 1) return std::nullopt;
  if (present == 1) in.into(entry.fingerprint.emplace().bytes);
  entry.decision = in.short_text();
  entry.shadow = in.short_text();
  entry.policy = in.short_text();
  entry.request_id = in.short_text();
  entry.trace_id = in.short_text();
  if (first) return entry;
  entry.subject = read_subject(in);
  entry.error = in.short_text();
  return entry;
}

std::optional<AuditEntry> read_action(Reader& in, bool first) {
  AuditAction entry;
  entry.time = in.time();
  entry.action = in.short_text();
  entry.target = in.short_text();
  entry.detail = in.medium_text();
  entry.from = in.short_text();
  entry.status = in.number<std::uint16_t>();
  if (first) return entry;
  entry.policy = in.short_text();
  entry.subject = read_subject(in);
  return entry;
}

std::optional<AuditEntry> read(Written kind, Reader& in) {
  switch (kind) {
    case Written::first_forward:
    case Written::forward:
      return read_forward(in, kind == Written::first_forward);
    case Written::ending:
      return read_ending(in);
    case Written::first_refusal:
    case Written::refusal:
      return read_refusal(in, kind == Written::first_refusal);
    case Written::first_action:
    case Written::action:
      return read_action(in, kind == Written::first_action);
    case Written::start:
      return AuditStart{in.time()};
    case Written::file:
      return AuditFile{in.time()};
  }
  return std::nullopt;
}

}  // namespace

void append(std::string& out, const AuditForward& entry) {
  ContentWriter content(Written::forward);
  content.time(entry.time);
  content.number(entry.fence);
  content.raw(entry.fingerprint.view());
  content.number(entry.attempt);
  content.short_text(entry.policy, policy_max);
  content.short_text(entry.request_id, text_max);
  content.short_text(entry.trace_id, trace_id_max);
  content.subject(entry.subject);
  content.append_to(out);
}

void append(std::string& out, const AuditEnding& entry) {
  ContentWriter content(Written::ending);
  content.time(entry.time);
  content.number(entry.fence);
  content.number(static_cast<std::uint8_t>(entry.how));
  content.number(static_cast<std::uint16_t>(entry.status));
  content.short_text(entry.error, text_max);
  content.append_to(out);
}

void append(std::string& out, const AuditRefusal& entry) {
  ContentWriter content(Written::refusal);
  content.time(entry.time);
  content.number<std::uint8_t>(entry.fingerprint ? 1 : 0);
  if (entry.fingerprint) content.raw(entry.fingerprint->view());
  content.short_text(entry.decision, word_max);
  content.short_text(entry.shadow, word_max);
  content.short_text(entry.policy, policy_max);
  content.short_text(entry.request_id, text_max);
  content.short_text(entry.trace_id, trace_id_max);
  content.subject(entry.subject);
  content.short_text(entry.error, text_max);
  content.append_to(out);
}

void append(std::string& out, const AuditAction& entry) {
  ContentWriter content(Written::action);
  content.time(entry.time);
  content.short_text(entry.action, text_max);
  content.short_text(entry.target, text_max);
  content.medium_text(entry.detail, detail_max);
  content.short_text(entry.from, text_max);
  content.number(static_cast<std::uint16_t>(entry.status));
  content.short_text(entry.policy, policy_max);
  content.subject(entry.subject);
  content.append_to(out);
}

void append(std::string& out, const AuditStart& entry) {
  ContentWriter content(Written::start);
  content.time(entry.time);
  content.append_to(out);
}

void append(std::string& out, const AuditFile& entry) {
  ContentWriter content(Written::file);
  content.time(entry.time);
  content.append_to(out);
}

WallTime AuditFrame::time() const {
  return Reader(bytes.substr(header_bytes)).time();
}

std::uint64_t AuditFrame::fence() const {
  return Reader(bytes.substr(header_bytes + 8)).number<std::uint64_t>();
}

bool AuditFrame::is_of(const Fingerprint& fingerprint) const {
  const std::string_view content = bytes.substr(header_bytes);
  const std::size_t before = kind == AuditKind::forward ? 16 : 9;
  if (content.size() < before + sizeof fingerprint.bytes) return false;
  return content.substr(before, sizeof fingerprint.bytes) == fingerprint.view();
}

std::optional<AuditFrame> frame(std::string_view bytes) {
  if (bytes.size() < header_bytes) return std::nullopt;
  Reader in(bytes);
  const std::size_t size = in.number<std::uint16_t>();
  const auto kind = in.number<std::uint8_t>();
  // Every kind begins with its time.
  if (in.number<std::uint8_t>() != check_of(size, kind) || size < 8 || size > content_bytes_max ||
      bytes.size() - header_bytes < size) {
    return std::nullopt;
  }
  return AuditFrame{kind_of(static_cast<Written>(kind)), bytes.substr(0, header_bytes + size)};
}

std::optional<AuditEntry> decode(const AuditFrame& frame) {
  const std::string_view content = frame.bytes.substr(header_bytes);
  Reader sum(frame.bytes.substr(4));
  if (sum.number<std::uint32_t>() != sum_of(frame.bytes.substr(0, 4), content)) {
    return std::nullopt;
  }
  Reader in(content);
  std::optional<AuditEntry> entry = read(written_kind(frame.bytes), in);
  if (!in.good_to_the_end()) return std::nullopt;
  return entry;
}

}  // namespace onceproxy::store
