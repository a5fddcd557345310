// Heads of HTTP/1.1 messages, read by one strict validator in both directions. What it accepts is
// what is forwarded, so nothing that two parsers could understand differently gets through:
// proxy/http/PROTOCOL.md has the rules ("HTTP, exactly"). It finds the fields that matter to a
// proxy while it reads, and copies nothing: a head is views into the buffer that holds it.
//
// It does not decode bodies (chunked.hpp) and does not rewrite heads (head_writer.hpp).
// Pure; thread-safe.
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

/// Fields that a proxy treats in a way of its own. `other` is forwarded as it came.
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

/// Why a head was refused: the status to answer a client with, a word for the metrics, and a
/// sentence for a person. `reason` and `detail` are literals.
struct BadHead {
  int status = 400;
  std::string_view reason;
  std::string_view detail;
  /// Which line of the head it was, from 1; 0: no single one.
  std::size_t line = 0;
};

/// The same characters at another place.
inline std::string_view moved_view(std::string_view view, const char* from, const char* to) {
  return view.empty() ? view : std::string_view(to + (view.data() - from), view.size());
}

/// What both kinds of head have.
struct Head {
  std::vector<Field> fields;
  /// Same length as `fields`.
  std::vector<Known> known;
  /// True for a field that Connection names: dropped with it.
  std::vector<bool> named_by_connection;
  bool has_named = false;
  int minor_version = 1;
  /// The message's last word on whether the connection stays open (RFC 9112 9.3).
  bool keep_alive = true;
  /// Every line is as RFC 9112 has it, so that it may be copied; else lines are written anew.
  bool tidy = true;
  Framing framing;
  /// From the first byte to the end of the empty line.
  std::size_t size = 0;
  /// Index of the first field of that kind, or -1.
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
  /// In origin form, as it came; "*" for OPTIONS.
  std::string_view target;
  std::string_view path;
  std::string_view query;
  std::string_view host;
  bool expects_continue = false;
  int request_id = -1;
  int forwarded_for = -1;
  int forwarded_proto = -1;
  int forwarded_host = -1;
  /// Empty also where it is repeated: two are none (W3C Trace Context 3.2).
  std::string_view traceparent;

  void move_views(const char* from, const char* to) {
    Head::move_views(from, to);
    for (std::string_view* view : {&method, &target, &path, &query, &host, &traceparent}) {
      // A target that was filled in ("/" behind a bare authority) is a literal.
      if (view->data() >= from && view->data() < from + size) *view = moved_view(*view, from, to);
    }
  }
};

struct ResponseHead : Head {
  int status = 0;
  std::string_view reason;
};

/// What is taken of a message, its body's chunks and trailers included.
struct HeadLimits {
  std::size_t bytes = 16 * 1024;
  std::size_t fields = 100;
  /// Responses only. What old services send beyond RFC 9112 is taken where it can mean one thing
  /// only: lines that all end in a bare LF; a Content-Length that is repeated, or a list, with
  /// always the same digits; Transfer-Encoding: identity; white space around a chunk's size.
  bool lenient = false;
};

/// More fields no response may have.
inline constexpr std::size_t response_fields_max = 1000;

/// Offset just behind the head's empty line, or 0 when `data` does not hold it yet. `from` is
/// where an earlier call may have stopped; the search goes on a little before it.
std::size_t find_head_end(std::string_view data, std::size_t from = 0);

/// `data` ends where find_head_end said. `head` is reused: its vectors keep their memory.
std::optional<BadHead> parse_request_head(std::string_view data, const HeadLimits& limits,
                                          RequestHead& head);

/// `to_method` is the method of the request that this answers: HEAD has no body (RFC 9110 9.3.2).
/// What `limits.lenient` takes is marked so that head_writer.hpp writes a head that strict readers
/// take for the same.
std::optional<BadHead> parse_response_head(std::string_view data, const HeadLimits& limits,
                                           std::string_view to_method, ResponseHead& head);

/// Appends the fields of a response that reach the client as they came, and that are remembered
/// with it: none that belongs to the connection or to the body's framing, and no X-Request-Id,
/// since every answer has that of its own request.
void append_lasting_fields(const ResponseHead& head, std::vector<Field>& out);

/// For how long a response says that its connection is kept unused: the parameter `timeout` of
/// Keep-Alive (RFC 2068 19.7.1.1), the least where it is there twice.
std::optional<std::chrono::seconds> announced_keep_alive(const ResponseHead& head);

/// What is wrong with a head that did not end within its limit: 414 when the request line already
/// fills it, else 431.
BadHead oversized_head(std::string_view data);

/// A field value that may be sent: no control character but tab (RFC 9110 5.5).
bool valid_field_value(std::string_view value);
bool valid_token(std::string_view text);

}  // namespace onceproxy::http
