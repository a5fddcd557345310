// Call: implements ServerStream for one gRPC call on an HTTP/2 exchange. Private to this folder.
// Not thread-safe: used on one event loop.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/grpc/message_reader.hpp"
#include "proxy/grpc/stream.hpp"
#include "proxy/http2/exchange.hpp"
#include "proxy/io/deadline.hpp"
#include "proxy/telemetry/http2_metrics.hpp"

namespace onceproxy::grpc {

class Call final : public ServerStream {
 public:
  /// All arguments must outlive the call. `timeout`: the client's; nothing if it has none.
  Call(http2::Exchange& exchange, std::size_t message_bytes_max,
       std::optional<std::chrono::milliseconds> timeout, telemetry::Http2Counters& counters);
  ~Call() override;

  std::string_view path() const override { return exchange_.request().path; }
  std::string_view authority() const override { return exchange_.request().authority; }
  std::optional<std::string_view> metadata(std::string_view name) const override;
  std::string_view peer_address() const override { return exchange_.origin().address; }
  const tls::Peer* peer() const override { return exchange_.origin().certificate.get(); }
  std::optional<Clock::time_point> deadline() const override { return deadline_; }
  io::Task<Read> read(std::string& message) override;
  io::Task<bool> write(std::string_view message) override;
  void finish(Status status) override;
  std::optional<Gone> gone() const override;
  void on_gone(std::function<void(Gone)> told) override;
  bool draining() const override { return exchange_.origin().draining; }

  /// Whether the call is neither finished nor gone.
  bool open() const { return !finished_ && !gone(); }

 private:
  class Timer final : public io::Deadline {
   public:
    Timer(io::Deadlines& deadlines, Call& call) : io::Deadline(deadlines), call_(call) {}

   private:
    void expired() override { call_.timer_expired(); }
    Call& call_;
  };

  void begin_answer();
  void give_up(Gone why, Status status);
  void refuse(MessageReader::State why);
  void timer_expired();

  http2::Exchange& exchange_;
  telemetry::Http2Counters& counters_;
  MessageReader reader_;
  std::optional<Clock::time_point> deadline_;
  std::optional<Timer> timer_;
  bool answering_ = false;
  bool finished_ = false;
  /// The reason if the call ended without the exchange.
  std::optional<Gone> gone_;
};

}  // namespace onceproxy::grpc
