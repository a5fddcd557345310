// UpstreamConnection: one connection to the upstream. It is lent to one request at a time. Between
// two requests it is idle, and notices when its peer closes it or sends unexpected bytes.
// upstream.hpp opens, keeps and lends connections. Not thread-safe: used on one event loop.
#pragma once

#include <boost/intrusive/list_hook.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "proxy/io/slots.hpp"
#include "proxy/io/stream.hpp"
#include "proxy/telemetry/metrics.hpp"
#include "proxy/tls/port.hpp"

namespace onceproxy::http {

class UpstreamConnection;
/// It is removed from the lists of the pool when it is destroyed.
using UpstreamConnectionHook =
    boost::intrusive::list_base_hook<boost::intrusive::tag<UpstreamConnection>,
                                     boost::intrusive::link_mode<boost::intrusive::auto_unlink>>;

class UpstreamConnection final : public io::Stream, public UpstreamConnectionHook {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// Is notified about idle connections. Both functions may destroy the connection.
  class Owner {
   public:
    /// Its peer has closed it, or sent something.
    virtual void ended_while_idle(UpstreamConnection& connection) = 0;
    /// It was not lent again in time.
    virtual void idle_too_long(UpstreamConnection& connection) = 0;

   protected:
    ~Owner() = default;
  };

  /// Creates a lent connection that is not connected yet. `slot`: a slot of the limit of
  /// connections. `stall`: as in io::Stream.
  UpstreamConnection(Owner& owner, io::EventLoop& loop, std::chrono::milliseconds stall,
                     io::Slots::Taken slot, telemetry::WorkerMetrics& metrics);
  ~UpstreamConnection() override;

  /// The address to which it is connected.
  struct Destination {
    io::SocketAddress address;
    /// The version of the upstream's addresses with which it was last compared.
    std::uint64_t generation = 0;
    /// The TLS settings of the connection; nullptr: it is plain.
    std::shared_ptr<const tls::ClientPort> tls;
  };
  Destination destination;

  /// It can carry another request. `announced`: how long its peer says that it keeps the
  /// connection, less a margin.
  void answered(std::optional<std::chrono::milliseconds> announced);
  /// It has carried a request before, so its peer may be about to close it.
  bool reused() const { return reused_; }
  std::optional<std::chrono::milliseconds> announced() const { return announced_; }

  /// It is idle from now on. If it is not lent again `within` this time, its owner is notified.
  void keep(Time now, std::chrono::milliseconds within);
  void lend(Time now);
  /// While it is idle.
  std::chrono::steady_clock::duration idle_for(Time now) const { return now - idle_since_; }
  /// Before it was lent.
  std::chrono::steady_clock::duration was_idle_for() const { return was_idle_for_; }

 private:
  void heard_unasked() override;
  void expired() override;
  void awaited_twice(std::string_view operation) override;

  Owner& owner_;
  telemetry::WorkerMetrics& metrics_;
  const io::Slots::Taken slot_;
  bool lent_ = true;
  bool reused_ = false;
  Time idle_since_;
  std::chrono::steady_clock::duration was_idle_for_{0};
  std::optional<std::chrono::milliseconds> announced_;
};

/// A lent connection; destroying it closes the connection.
using Lease = std::unique_ptr<UpstreamConnection>;

}  // namespace onceproxy::http
