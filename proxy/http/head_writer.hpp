// Writes heads. Fields that a proxy must remove are removed, fields that it must add are added, and
// everything else is copied unchanged. Heads are written only here, so no hop-by-hop field and no
// forged Onceproxy-* field can be forwarded. Pure; thread-safe.
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

/// The trace context of a request for the upstream.
struct TraceFields {
  /// Replaces the request's own traceparent; if it is empty, traceparent and tracestate are
  /// forwarded unchanged.
  std::string_view traceparent;
  /// False if the request's tracestate belongs to a trace that ends here.
  bool keep_tracestate = true;
};

/// The value of X-Forwarded-Client-Cert for the upstream.
struct CertificateField {
  /// The field is written only here; a client's own field is removed.
  bool ours = false;
  /// Empty if the client presented no certificate.
  std::string_view value;
};

/// The client's identity for the upstream, in X-Request-Id, X-Forwarded-For and X-Forwarded-Proto.
struct ForwardedFields {
  std::string_view request_id;
  /// The client's address.
  std::string_view client;
  /// Whether the client used TLS.
  bool secure = false;
};

/// The fields that are added to a covered request for the upstream.
struct CoveredFields {
  ForwardedFields forwarded;
  CertificateField certificate;
  std::chrono::milliseconds response_timeout;
  /// The length of the body that is sent.
  std::size_t body_bytes = 0;
  /// Present with a reservation.
  std::optional<store::Fingerprint> fingerprint;
  std::uint64_t fence = 0;
  TraceFields trace;
};

/// The parts of a request's head that depend on its connection and its forwarding.
struct ConnectionFields {
  bool upgrade = false;
  bool expect = false;
  CertificateField certificate = {};
  /// If absent, the client's own fields are forwarded unchanged.
  std::optional<ForwardedFields> forwarded = std::nullopt;
};

/// Writes a request unchanged, except for fields of its connection, those of `kept` and those of a
/// trace. `authority`: the Host of an HTTP/1.0 request without one.
void write_request_head(const RequestHead& head, const ConnectionFields& kept,
                        std::string_view authority, const TraceFields& trace, std::string& out);

/// Writes a request that a policy covers. Its body is buffered, so its length is known.
void write_covered_request_head(const RequestHead& head, const CoveredFields& fields,
                                std::string_view authority, std::string& out);

/// How the client's connection continues after an answer.
struct ClientSide {
  int minor_version = 1;
  bool keep_alive = true;
  /// The answer to HEAD, which has no body.
  bool to_head = false;
  /// In the format of RFC 9110 5.6.7.
  std::string_view date;
  /// The value of X-Request-Id, which is in every answer, so that an operator can find the line in
  /// the log. If it is empty, the field is left out.
  std::string_view request_id = {};
};

/// The fields that are added to an upstream's answer to a covered request.
struct DecisionFields {
  gate::Decided decided;
  /// Negative if it is not an answer of the upstream.
  std::chrono::milliseconds service_time{-1};
};

/// How the body is framed if the upstream gives no length, or another length than the one that is
/// sent.
enum class BodyFraming { as_it_came, length, chunked, until_close };

void write_response_head(const ResponseHead& head, const ClientSide& client, BodyFraming framing,
                         std::size_t body_bytes, const std::optional<DecisionFields>& decision,
                         std::string& out);

/// A 1xx answer, without framing and persistence (RFC 9110 15.2).
void write_interim_head(const ResponseHead& head, std::string& out);

/// A 101, the answer to a request for an upgrade.
void write_switch_head(const ResponseHead& head, std::string_view request_id, std::string& out);

/// An answer of onceproxy's own. `decided`: absent if the request is not covered.
void write_answer(const gate::Answer& answer, const ClientSide& client,
                  std::optional<gate::Decided> decided, std::string& out);

/// One chunk (RFC 9112 7.1); `data` must not be empty.
void write_chunk(std::string_view data, std::string& out);
/// The bytes before and after the data of a chunk that is not copied.
void write_chunk_size(std::size_t bytes, std::string& out);
inline constexpr std::string_view chunk_end = "\r\n";
inline constexpr std::string_view last_chunk = "0\r\n\r\n";

}  // namespace onceproxy::http
