// The attributes that Envoy sends: the client's address, and where an answer was made. Envoy sends
// the attributes in its configuration (`request_attributes`, `response_attributes`), each once per
// stream. Pure; not thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proxy/ext_proc/messages.hpp"
#include "proxy/http/grammar/head.hpp"

namespace onceproxy::ext_proc {

/// Where the answer was made that Envoy is about to send, and what follows for the request.
enum class Origin {
  service,   ///< the service answered
  not_sent,  ///< Envoy answered, and no byte of the request reached the service
  timeout,   ///< Envoy answered, because the service did not answer in time
  unknown,   ///< Envoy answered, and the service may have executed the request
};

class AttributesTold {
 public:
  /// Reads the attributes of this message.
  void take(const ProcessingRequest& message);

  /// source.address without its port; empty if it was not sent.
  std::string_view client() const { return client_; }
  /// response.code_details; empty if it was not sent.
  const std::string& details() const { return details_; }

  /// Whether a route has answered by its configuration (direct_response, redirect).
  bool told_by_route() const;

  /// The origin of the answer with this head. If the details were not sent, an answer counts as the
  /// service's only if it has a field with the time that the service took.
  Origin origin(const http::ResponseHead& head) const;

 private:
  std::string client_;
  std::string details_;
  std::optional<double> attempts_;
};

}  // namespace onceproxy::ext_proc
