// Call: implements ServerStream for one gRPC call on an HTTP/2 exchange. Private to this folder.
// Not thread-safe: used on one event loop.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/grpc/arrivals.hpp"
#include "proxy/grpc/message_reader.hpp"
#include "proxy/grpc/stream.hpp"
#include "proxy/http2/exchange.hpp"
#include "proxy/io/deadline.hpp"
#include "proxy/telemetry/http2_metrics.hpp"

namespace onceproxy::grpc {

class Call final : public ServerStream {
 public:
  struct Limits {
    std::size_t message_bytes_max;
    /// nullptr: there is no limit.
    Arrivals* arrivals;
  };

  /// All arguments must outlive the call. `timeout`: the client's; nothing if it has none.
  Call(http2::Exchange& exchange, const Limits& limits,
       std::optional<std::chrono::milliseconds> timeout, telemetry::Http2Counters& counters);
  ~Call() override;

  std::string_view path() const override { return exchange_.request().path; }
  std::string_view authority() const override { return exchange_.request().authority; }
  std::optional<std::string_view> metadata(std::string_view name) const override;
  std::string_view peer_address() const override { return exchange_.origin().address; }
  const tls::Peer* peer() const override { return exchange_.origin().certificate.get(); }
  std::optional<Clock::time_point> deadline() const override { return deadline_; }
  io::Task<Read> read(std::string& message) override;
  void keep_messages() override { keeps_messages_ = true; }
  io::Task<bool> write(std::string_view message) override;
  io::Task<bool> write_last(std::string_view message, Status status) override;
  void finish(Status status) override;
  std::optional<Gone> gone() const override;
  void on_gone(std::function<void(Gone)> told) override;
  bool draining() const override { return exchange_.origin().draining; }

  /// Whether the call is neither finished nor gone.
  bool open() const { return !finished_ && !gone(); }

 private:
  class Timer final : public io::Deadline {
   public:
    /// `over` is called after this time.
    Timer(Call& call, std::chrono::milliseconds after, void (Call::*over)());
    Clock::time_point due() const { return due_; }

   private:
    void expired() override;
    Call& call_;
    const Clock::time_point due_;
    void (Call::*const over_)();
  };
  /// A message that has arrived in part.
  struct Arriving {
    /// Nothing if the message is never given up.
    std::optional<Timer> timer;
    std::unique_ptr<Arrivals::Share> share;
  };

  bool begin_write(std::string_view message);
  static http2::Fields trailers(const Status& status);
  void give_up(Gone why, Status status);
  void refuse(MessageReader::State why);
  bool keeps(std::unique_ptr<Arriving>& arriving, std::size_t arrived, std::size_t held);
  static Read drop(std::string& message);
  void deadline_passed();
  void too_slow();
  void no_room();

  http2::Exchange& exchange_;
  telemetry::Http2Counters& counters_;
  Arrivals* const arrivals_;
  MessageReader reader_;
  std::optional<Clock::time_point> deadline_;
  std::optional<Timer> timer_;
  bool keeps_messages_ = false;
  bool answering_ = false;
  bool finished_ = false;
  /// The reason if the call ended without the exchange.
  std::optional<Gone> gone_;
};

}  // namespace onceproxy::grpc
