// Heads as they go out: what a proxy must drop is dropped, what it must add is added, and every
// other byte is copied as it came. The one place that writes heads, so that nothing hop-by-hop and
// no forged Onceproxy-* field gets past.
// Pure; thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/gate/answer.hpp"
#include "proxy/gate/decision.hpp"
#include "proxy/http/grammar/head.hpp"
#include "store/fingerprint.hpp"

namespace onceproxy::http {

/// Where a request stands in a trace, as the upstream is to see it.
struct TraceFields {
  /// Instead of the request's own; empty: that goes on as it came, as does its tracestate.
  std::string_view traceparent;
  /// False: the request's tracestate belongs to a trace that ends here.
  bool keep_tracestate = true;
};

/// The value of X-Forwarded-Client-Cert for the upstream.
struct CertificateField {
  /// The field is written here only: a client's own field is removed.
  bool ours = false;
  /// Empty: the client showed no certificate.
  std::string_view value;
};

/// Who asks, as the upstream is told in X-Request-Id, X-Forwarded-For and X-Forwarded-Proto.
struct ForwardedFields {
  std::string_view request_id;
  /// The address the connection came from.
  std::string_view client;
  /// It came through TLS.
  bool secure = false;
};

/// What a covered request carries to the upstream besides its own fields.
struct CoveredFields {
  ForwardedFields forwarded;
  CertificateField certificate;
  std::chrono::milliseconds response_timeout;
  /// Of the body that is sent.
  std::size_t body_bytes = 0;
  /// Present with a reservation.
  std::optional<store::Fingerprint> fingerprint;
  std::uint64_t fence = 0;
  TraceFields trace;
};

/// What of a request's head depends on what its connection is used for, and what is told of it.
struct ConnectionFields {
  bool upgrade = false;
  bool expect = false;
  CertificateField certificate = {};
  /// Absent: the client's own fields go on as they came.
  std::optional<ForwardedFields> forwarded = std::nullopt;
};

/// A request that goes on as it came, but for its connection's own fields, those of `kept` and
/// those of a trace. `authority` is the Host of an HTTP/1.0 request that has none.
void write_request_head(const RequestHead& head, const ConnectionFields& kept,
                        std::string_view authority, const TraceFields& trace, std::string& out);

/// A request that a policy covers, its body buffered and so of known length.
void write_covered_request_head(const RequestHead& head, const CoveredFields& fields,
                                std::string_view authority, std::string& out);

/// How the client's connection goes on behind an answer.
struct ClientSide {
  int minor_version = 1;
  bool keep_alive = true;
  /// HEAD: no body follows whatever the head says.
  bool to_head = false;
  /// RFC 9110 5.6.7 format.
  std::string_view date;
  /// What X-Request-Id says in every answer: a complaint that quotes it finds its line in the log.
  /// Empty: nothing is said.
  std::string_view request_id = {};
};

/// What an upstream's answer to a covered request carries besides its own fields.
struct DecisionFields {
  gate::Decided decided;
  /// Negative: not a real upstream answer.
  std::chrono::milliseconds service_time{-1};
};

/// Where the upstream gives no length, or not the one that is sent, how the body is framed.
enum class BodyFraming { as_it_came, length, chunked, until_close };

void write_response_head(const ResponseHead& head, const ClientSide& client, BodyFraming framing,
                         std::size_t body_bytes, const std::optional<DecisionFields>& decision,
                         std::string& out);

/// 1xx: no framing, no persistence (RFC 9110 15.2).
void write_interim_head(const ResponseHead& head, std::string& out);

/// 101, which is the answer to a request for an upgrade.
void write_switch_head(const ResponseHead& head, std::string_view request_id, std::string& out);

/// An answer of onceproxy's own. `decided` absent: the request is not covered.
void write_answer(const gate::Answer& answer, const ClientSide& client,
                  std::optional<gate::Decided> decided, std::string& out);

/// One chunk (RFC 9112 7.1); `data` must not be empty.
void write_chunk(std::string_view data, std::string& out);
/// What stands before and after the data of one that is not copied.
void write_chunk_size(std::size_t bytes, std::string& out);
inline constexpr std::string_view chunk_end = "\r\n";
inline constexpr std::string_view last_chunk = "0\r\n\r\n";

}  // namespace onceproxy::http
