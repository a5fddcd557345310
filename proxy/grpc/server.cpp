#include "proxy/grpc/server.hpp"

#include <chrono>
#include <exception>
#include <optional>
#include <utility>

#include "proxy/grpc/call.hpp"
#include "proxy/grpc/wire.hpp"
#include "proxy/telemetry/log.hpp"

namespace onceproxy::grpc {

using telemetry::LogLevel;

Server::Server(const Services& services, Options options, telemetry::Http2Counters& counters)
    : services_(services), options_(std::move(options)), counters_(counters) {}

io::Task<void> Server::serve(http2::Exchange& exchange) {
  const http2::RequestHead& head = exchange.request();
  if (head.method != "POST") {
    exchange.respond(405, {{"allow", "POST"}}, true);
    co_return;
  }
  if (!is_grpc(http2::value_of(head.fields, "content-type").value_or(""))) {
    exchange.respond(415, {}, true);
    co_return;
  }
  const auto timeout_text = http2::value_of(head.fields, "grpc-timeout");
  std::optional<std::chrono::milliseconds> timeout;
  if (timeout_text) timeout = parse_timeout(*timeout_text);

  Call call(exchange, {options_.message_bytes_max, options_.arrivals}, timeout, counters_);
  if (timeout_text && !timeout) {
    call.finish({StatusCode::internal, "grpc-timeout is not valid"});
    co_return;
  }
  const grpc::Handler* const handler = services_.find(head.path);
  if (handler == nullptr) {
    call.finish({StatusCode::unimplemented, "unknown method " + head.path});
    co_return;
  }
  std::string failure = "the handler returned without a status";
  try {
    co_await (*handler)(call);
  } catch (const std::exception& error) {
    failure = error.what();
  }
  call.on_gone(nullptr);
  if (!call.open()) co_return;
  counters_.handler_failed();
  telemetry::log(LogLevel::error, "gRPC call failed",
                 {{"listener", options_.listener}, {"path", head.path}, {"error", failure}});
  // The details are for the operator and not for the client.
  call.finish({StatusCode::internal, "internal error"});
}

}  // namespace onceproxy::grpc
