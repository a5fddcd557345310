// What Envoy's attributes tell: who asked, and where an answer comes from. Envoy sends those that
// its configuration lists (`request_attributes`, `response_attributes`), each once a stream.
// Pure; not thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proxy/ext_proc/messages.hpp"
#include "proxy/http/grammar/head.hpp"

namespace onceproxy::ext_proc {

/// Where the answer that Envoy is about to send was made, and what that says of the request.
enum class Origin {
  service,   ///< the service answered
  not_sent,  ///< Envoy answered, and not a byte of the request reached the service
  timeout,   ///< Envoy answered, having waited for the service in vain
  unknown,   ///< Envoy answered, and the service may have done what was asked
};

class AttributesTold {
 public:
  /// Takes over what this message tells.
  void take(const ProcessingRequest& message);

  /// source.address without its port; empty: not told.
  std::string_view client() const { return client_; }
  /// response.code_details; empty: not told.
  const std::string& details() const { return details_; }

  /// A route answers by itself (direct_response, redirect), as its configuration says.
  bool told_by_route() const;

  /// Of the answer with this head. Where the details are not told, only an answer that carries
  /// the time that the service took is believed to be the service's.
  Origin origin(const http::ResponseHead& head) const;

 private:
  std::string client_;
  std::string details_;
  std::optional<double> attempts_;
};

}  // namespace onceproxy::ext_proc
