#include "proxy/http/upstream_connection.hpp"

#include <utility>

#include "proxy/telemetry/log.hpp"

namespace onceproxy::http {

UpstreamConnection::UpstreamConnection(Owner& owner, io::EventLoop& loop,
                                       std::chrono::milliseconds stall, io::Slots::Taken slot,
                                       telemetry::WorkerMetrics& metrics)
    : io::Stream(loop, stall), owner_(owner), metrics_(metrics), slot_(std::move(slot)) {
  metrics_.connection(telemetry::Side::upstream, +1);
}

UpstreamConnection::~UpstreamConnection() {
  close();
  if (!lent_) metrics_.idle_connection(-1);
  metrics_.connection(telemetry::Side::upstream, -1);
}

void UpstreamConnection::answered(std::optional<std::chrono::milliseconds> announced) {
  announced_ = announced;
  reused_ = true;
  was_idle_for_ = {};
}

void UpstreamConnection::keep(Time now, std::chrono::milliseconds within) {
  buffer.shrink();
  lent_ = false;
  metrics_.idle_connection(+1);
  idle_since_ = now;
  expire_after(within);
}

void UpstreamConnection::lend(Time now) {
  disarm();
  lent_ = true;
  metrics_.idle_connection(-1);
  was_idle_for_ = idle_for(now);
}

void UpstreamConnection::heard_unasked() {
  // While it is lent, the answer may begin before anybody awaits it.
  if (!lent_) owner_.ended_while_idle(*this);
}

void UpstreamConnection::expired() {
  if (lent_) {
    io::Stream::expired();
  } else {
    owner_.idle_too_long(*this);
  }
}

void UpstreamConnection::awaited_twice(std::string_view operation) {
  metrics_.connection_defect(telemetry::awaited_twice);
  telemetry::log(telemetry::LogLevel::error, "connection closed: a second coroutine awaited it",
                 {{"side", "upstream"}, {"operation", operation}});
}

}  // namespace onceproxy::http
