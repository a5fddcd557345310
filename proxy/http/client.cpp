#include "proxy/http/client.hpp"

#include "proxy/telemetry/log.hpp"

namespace onceproxy::http {

Client::Client(io::EventLoop& loop, io::Socket socket, std::string address,
               std::chrono::milliseconds stall, telemetry::WorkerMetrics& metrics)
    : io::Stream(loop, std::move(socket), stall), metrics_(metrics), address_(std::move(address)) {
  metrics_.connection(telemetry::Side::client, +1);
}

Client::~Client() {
  close();
  metrics_.connection(telemetry::Side::client, -1);
}

void Client::identify(std::unique_ptr<const tls::Peer> peer) {
  peer_ = std::move(peer);
  if (peer_) certificate_ = {peer_->uris, peer_->hosts, peer_->subject, peer_->sha256};
}

void Client::awaited_twice(std::string_view operation) {
  metrics_.connection_defect(telemetry::awaited_twice);
  telemetry::log(telemetry::LogLevel::error, "connection closed: a second coroutine awaited it",
                 {{"side", "client"}, {"operation", operation}});
}

}  // namespace onceproxy::http
