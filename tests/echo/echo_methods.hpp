// What the test server does with calls and requests: each method shows one side of
// grpc::ServerStream or http2::Exchange to a client.
#pragma once

#include <functional>
#include <string>

#include "proxy/grpc/services.hpp"
#include "proxy/http2/handler.hpp"

namespace onceproxy::echo {

/// Methods of /test.Echo; messages are plain bytes.
///   Bidi: every message comes back. Status: the first message is "<code>:<text>", which the call
///   ends with. Large: the first message is a number; as many bytes come back. Wait: the head goes
///   out with an empty message, and then nothing happens until the peer is gone, which is printed.
///   Throw, Silent: defects of a handler. About: what is known of the call. Metrics: as they are.
/// `metrics` gives the exposition; it must outlive the services.
void add_methods(grpc::Services& services, std::function<std::string()> metrics);

/// Requests whose path begins with /http are answered with their body and trailers, and the others
/// are calls.
class EchoHandler final : public http2::Handler {
 public:
  explicit EchoHandler(http2::Handler& calls) : calls_(calls) {}
  io::Task<void> serve(http2::Exchange& exchange) override;

 private:
  http2::Handler& calls_;
};

}  // namespace onceproxy::echo
