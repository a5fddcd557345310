// AccessDetails: the values of a request that log.access_format can show in addition to its
// AccessRecord. They are collected only if a format is configured. Plain values; views are read
// only during the call.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace onceproxy::telemetry {

/// Those of Envoy's response flags that have the same meaning here.
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
  /// `name` is in lower case, and may be :method, :path, :authority or :scheme. If there are
  /// several fields of that name, the first one is returned.
  virtual std::optional<std::string_view> find(std::string_view name) const = 0;

 protected:
  ~AccessFields() = default;
};

struct AccessDetails {
  /// nullptr if no request was read.
  const AccessFields* request = nullptr;
  /// The head that was sent to the client, from its first byte to its empty line. Empty if there
  /// was none, or if the format does not need it.
  std::string_view answer_head;
  /// "HTTP/1.1"; empty if it is unknown.
  std::string_view protocol;
  /// The unchanged target, with its query.
  std::string_view target;
  /// The client's port; 0 if it is unknown.
  std::uint16_t client_port = 0;
  /// The numeric address with port to which the request was sent; empty if it was not sent.
  std::string_view upstream_host;
  /// Whether the request was sent.
  bool forwarded = false;
  AccessFlag flag = AccessFlag::none;
  /// Envoy's response code details; empty: the decision is used.
  std::string_view code_details;
};

}  // namespace onceproxy::telemetry
