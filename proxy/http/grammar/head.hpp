// Reads heads of HTTP/1.1 messages in both directions with one strict validator. Only what it
// accepts is forwarded, so nothing passes that two parsers could understand differently.
// proxy/http/PROTOCOL.md describes the rules ("HTTP, exactly"). It also finds the fields that a
// proxy needs. It copies nothing: a head consists of views of its buffer.
//
// It does not decode bodies (chunked.hpp) and does not rewrite heads (head_writer.hpp). Pure;
// thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "policies/request_view.hpp"

namespace onceproxy::http {

using policies::Field;

/// Fields that a proxy handles in a special way. `other` is forwarded unchanged.
enum class Known : std::uint8_t {
  other,
  host,
  content_length,
  transfer_encoding,
  connection,
  hop_by_hop,  ///< Keep-Alive, TE, Trailer, Proxy-Authenticate (but of a 407), ...
  upgrade,
  expect,
  date,
  request_id,        ///< X-Request-Id
  forwarded_for,     ///< X-Forwarded-For
  forwarded_proto,   ///< X-Forwarded-Proto
  forwarded_host,    ///< X-Forwarded-Host
  expected_timeout,  ///< X-Envoy-Expected-Rq-Timeout-Ms
  service_time,      ///< X-Envoy-Upstream-Service-Time
  traceparent,       ///< W3C Trace Context's
  tracestate,
  client_certificate,  ///< X-Forwarded-Client-Cert, as Envoy names it
  ours,  ///< Onceproxy-*; in requests also other spellings of guarded fields (guarded_fields.hpp)
};

Known known_field(std::string_view name);

/// How the end of a body is found (RFC 9112 6.3).
struct Framing {
  enum class Kind {
    none,
    length,
    chunked,
    until_close,  ///< responses only
  } kind = Kind::none;
  std::uint64_t length = 0;
};

/// The reason why a head was refused: the status for the client, a word for the metrics, and a
/// sentence for people. `reason` and `detail` are literals.
struct BadHead {
  int status = 400;
  std::string_view reason;
  std::string_view detail;
  /// The line of the head, from 1; 0 if it is not a single line.
  std::size_t line = 0;
};

/// Moves a view to a copy of its characters.
inline std::string_view moved_view(std::string_view view, const char* from, const char* to) {
  return view.empty() ? view : std::string_view(to + (view.data() - from), view.size());
}

/// The common parts of both kinds of heads.
struct Head {
  std::vector<Field> fields;
  /// Has the same length as `fields`.
  std::vector<Known> known;
  /// true for a field that Connection names; it is removed.
  std::vector<bool> named_by_connection;
  bool has_named = false;
  int minor_version = 1;
  /// Whether the connection may stay open after the message (RFC 9112 9.3).
  bool keep_alive = true;
  /// Whether every line conforms to RFC 9112, so that it may be copied; otherwise lines are written
  /// again.
  bool tidy = true;
  Framing framing;
  /// The size from the first byte to the end of the empty line.
  std::size_t size = 0;
  /// The index of the first field of that kind, or -1.
  int upgrade = -1;
  int date = -1;

  /// The head's bytes were copied from `from` to `to`.
  void move_views(const char* from, const char* to) {
    for (Field& field : fields) {
      field.name = moved_view(field.name, from, to);
      field.value = moved_view(field.value, from, to);
    }
  }
  bool dropped(std::size_t i) const { return has_named && named_by_connection[i]; }
};

struct RequestHead : Head {
  std::string_view method;
  /// The unchanged target in origin form; "*" for OPTIONS.
  std::string_view target;
  std::string_view path;
  std::string_view query;
  std::string_view host;
  bool expects_continue = false;
  int request_id = -1;
  int forwarded_for = -1;
  int forwarded_proto = -1;
  int forwarded_host = -1;
  /// It is also empty if the field is repeated (W3C Trace Context 3.2).
  std::string_view traceparent;

  void move_views(const char* from, const char* to) {
    Head::move_views(from, to);
    for (std::string_view* view : {&method, &target, &path, &query, &host, &traceparent}) {
      // A target that was added ("/" after an authority without a path) is a literal.
      if (view->data() >= from && view->data() < from + size) *view = moved_view(*view, from, to);
    }
  }
};

struct ResponseHead : Head {
  int status = 0;
  std::string_view reason;
};

/// The limits of a message, including its chunks and trailers.
struct HeadLimits {
  std::size_t bytes = 16 * 1024;
  std::size_t fields = 100;
  /// For responses only. Accepts what old services send beyond RFC 9112 if it has only one meaning:
  /// lines that all end in a bare LF; a Content-Length that is repeated, or a list, always with the
  /// same digits; Transfer-Encoding: identity; white space around a chunk's size.
  bool lenient = false;
};

/// The largest number of fields of a response.
inline constexpr std::size_t response_fields_max = 1000;

/// Returns the offset after the head's empty line, or 0 if `data` does not contain it yet. `from`:
/// where an earlier call may have stopped; the search begins a little before it.
std::size_t find_head_end(std::string_view data, std::size_t from = 0);

/// `data` ends at the result of find_head_end. `head` is reused: its vectors keep their memory.
std::optional<BadHead> parse_request_head(std::string_view data, const HeadLimits& limits,
                                          RequestHead& head);

/// `to_method` is the method of the request: the answer to HEAD has no body (RFC 9110 9.3.2). Lines
/// that only `limits.lenient` accepts are marked, so that head_writer.hpp writes an equivalent
/// strict head.
std::optional<BadHead> parse_response_head(std::string_view data, const HeadLimits& limits,
                                           std::string_view to_method, ResponseHead& head);

/// Appends the fields of a response that the client gets unchanged, and that are stored with it: no
/// field of the connection or of the body's framing, and no X-Request-Id, because every answer has
/// the id of its own request.
void append_lasting_fields(const ResponseHead& head, std::vector<Field>& out);

/// How long a response says that its unused connection is kept: the parameter `timeout` of
/// Keep-Alive (RFC 2068 19.7.1.1); the smallest one if there are several.
std::optional<std::chrono::seconds> announced_keep_alive(const ResponseHead& head);

/// The error for a head that exceeds its limit: 414 if the request line alone exceeds it, otherwise
/// 431.
BadHead oversized_head(std::string_view data);

/// Whether a field value may be sent: it has no control character except tab (RFC 9110 5.5).
bool valid_field_value(std::string_view value);
bool valid_token(std::string_view text);

}  // namespace onceproxy::http
