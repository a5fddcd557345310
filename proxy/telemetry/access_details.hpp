// AccessDetails: what log.access_format may ask of a request beyond its AccessRecord. It is
// gathered only where a format is configured. Plain values; views are read during the call only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace onceproxy::telemetry {

/// Envoy's response flags that mean the same here.
enum class AccessFlag {
  none,
  connection_failure,      ///< UF: no connection to the upstream
  overflow,                ///< UO: too many requests wait for the upstream
  request_timeout,         ///< UT: the upstream did not answer in time
  connection_termination,  ///< UC: the upstream closed the connection before its answer was whole
  protocol_error,          ///< UPE: the upstream's answer is malformed
  client_left,             ///< DC: the client closed the connection before its answer was whole
  client_protocol_error,   ///< DPE: the client's request is malformed
  rate_limited,            ///< RL
};

/// The header fields of a request.
class AccessFields {
 public:
  /// `name` is in lower case, and may be :method, :path, :authority or :scheme. Of a field that is
  /// there several times, the first.
  virtual std::optional<std::string_view> find(std::string_view name) const = 0;

 protected:
  ~AccessFields() = default;
};

struct AccessDetails {
  /// nullptr: no request was read.
  const AccessFields* request = nullptr;
  /// The head that was sent to the client, from its first byte to its empty line; empty: none was,
  /// or the format does not ask for it.
  std::string_view answer_head;
  /// "HTTP/1.1"; empty: unknown.
  std::string_view protocol;
  /// The target as it came, with its query.
  std::string_view target;
  /// Of the client; 0: unknown.
  std::uint16_t client_port = 0;
  /// Where the request was sent, numeric, with the port; empty: nowhere.
  std::string_view upstream_host;
  /// The request was sent.
  bool forwarded = false;
  AccessFlag flag = AccessFlag::none;
  /// Envoy's response code details; empty: the decision is what there is to say.
  std::string_view code_details;
};

}  // namespace onceproxy::telemetry
