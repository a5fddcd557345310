// Client: one request to an admin port, for the commands that use it. Waits for the answer, with a
// bound.
// Thread-safety: none needed; a call owns its connection.
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
  /// Path and query, encoded.
  std::string target;
  /// Sent as "Authorization: Bearer …" unless empty.
  std::string token;
  /// Speaks TLS with it; nullptr: plain HTTP.
  std::shared_ptr<const tls::ClientContext> tls = nullptr;
  std::string body = {};
};

struct ClientResponse {
  int status = 0;
  std::string body;
};

/// The error names the address and what went wrong; nothing is known then of whether the request
/// was done. `patience` bounds everything but finding the address of a host's name. Bodies above
/// 64 MiB are an error.
tl::expected<ClientResponse, std::string> ask(
    const Endpoint& endpoint, const ClientRequest& request,
    std::chrono::milliseconds patience = std::chrono::seconds(30));

}  // namespace onceproxy::admin
