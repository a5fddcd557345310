// Client: sends one request to an admin port, for the commands that use it, and waits for the
// answer, for a limited time. Thread-safety: each call has its own connection.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "proxy/admin/server.hpp"
#include "proxy/tls/context.hpp"

namespace onceproxy::admin {

struct ClientRequest {
  std::string method = "GET";
  /// The encoded path and query.
  std::string target;
  /// Sent as "Authorization: Bearer …" unless empty.
  std::string token;
  /// The TLS settings; nullptr: plain HTTP.
  std::shared_ptr<const tls::ClientContext> tls = nullptr;
  std::string body = {};
};

struct ClientResponse {
  int status = 0;
  std::string body;
};

/// The error contains the address and the reason; it is then unknown whether the request was
/// executed. `patience` limits everything except the resolution of a host name. Bodies above 64 MiB
/// are an error.
tl::expected<ClientResponse, std::string> ask(
    const Endpoint& endpoint, const ClientRequest& request,
    std::chrono::milliseconds patience = std::chrono::seconds(30));

}  // namespace onceproxy::admin
