#include "proxy/http/upstream.hpp"

#include <algorithm>
#include <utility>

#include "proxy/http/abandoned_call.hpp"
#include "proxy/telemetry/log.hpp"
#include "proxy/telemetry/tls_metrics.hpp"
#include "proxy/tls/session.hpp"

namespace onceproxy::http {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

/// A peer that says it keeps a connection for so long closes it when that time is over; a request
/// must be there before.
milliseconds less_margin(std::chrono::seconds announced) {
  constexpr milliseconds margin_max{1'000};
  const milliseconds all(announced);
  return all - std::min(margin_max, all / 2);
}

}  // namespace

/// Awaits a slot, or a connection that this worker is done with, no longer than a time.
class UpstreamPool::Wait final : public io::Deadline,
                                 public Slots::Waiter,
                                 io::EventLoop::Deferred {
 public:
  /// `bytes`: what the request takes in memory meanwhile.
  Wait(UpstreamPool& pool, Slots& slots, std::size_t bytes)
      : io::Deadline(pool.loop_.deadlines()), pool_(pool), slots_(slots), bytes_(bytes) {
    loop = &pool.home_;
    resume = [](store::CallBase& call) { static_cast<Wait&>(call).end(true); };
  }

  /// Handed over instead of a slot.
  Lease connection;

  bool await_ready() { return granted_ = slots_.try_take(); }
  bool await_suspend(std::coroutine_handle<> waiter) {
    if (!pool_.wait_with(bytes_)) return false;
    waiter_ = waiter;
    arm(pool_.options().connect_timeout);
    granted_ = slots_.wait(*this);
    if (granted_) {
      disarm();
      pool_.wait_ended(bytes_);
    }
    return !granted_;
  }
  /// True: a slot was taken.
  bool await_resume() const noexcept { return granted_; }

  /// True: this wait ends with `lease`.
  bool hand_over(Lease& lease) {
    if (!slots_.give_up(*this)) return false;
    connection = std::move(lease);
    pool_.loop_.defer(*this);
    return true;
  }

 private:
  void expired() override {
    if (slots_.give_up(*this)) pool_.loop_.defer(*this);
  }
  void run() override { end(false); }
  void end(bool granted) {
    disarm();
    pool_.wait_ended(bytes_);
    granted_ = granted;
    waiter_.resume();
  }

  UpstreamPool& pool_;
  Slots& slots_;
  const std::size_t bytes_;
  std::coroutine_handle<> waiter_;
  bool granted_ = false;
};

UpstreamPool::UpstreamPool(io::EventLoop& loop, store::Loop& home,
                           const std::shared_ptr<const Setup>& setup, UpstreamAddress& address,
                           Slots& connections, Slots& turns,
                           std::atomic<std::size_t>& waiting_bytes,
                           telemetry::WorkerMetrics& metrics, telemetry::TlsMetrics& tls_metrics)
    : loop_(loop),
      home_(home),
      setup_(setup),
      address_(address),
      connections_(connections),
      turns_(turns),
      metrics_(metrics),
      tls_metrics_(tls_metrics),
      waiting_bytes_(waiting_bytes) {}

UpstreamPool::~UpstreamPool() = default;

bool UpstreamPool::address_outdated(UpstreamConnection& connection) const {
  UpstreamConnection::Destination& destination = connection.destination;
  const std::uint64_t generation = address_.generation();
  if (destination.generation == generation) return false;
  if (!address_.has(destination.address, destination.tls)) return true;
  destination.generation = generation;
  return false;
}

Lease UpstreamPool::take_idle() {
  while (!idle_.empty()) {
    Lease connection = std::move(idle_.back());
    idle_.pop_back();
    const auto now = loop_.now();
    connection->lend(now);
    if (may_be_reused(*connection, now)) return connection;
  }
  return nullptr;
}

bool UpstreamPool::may_be_reused(UpstreamConnection& connection,
                                 steady_clock::time_point now) const {
  const auto idle = connection.was_idle_for();
  if (idle >= options().keepalive_timeout || !reuse_age_.allows(idle, now)) return false;
  if (connection.announced() && idle >= *connection.announced()) return false;
  return !address_outdated(connection);
}

void UpstreamPool::lost(const UpstreamConnection& connection) {
  metrics_.reuse_lost();
  const auto now = loop_.now();
  if (!reuse_age_.ended(connection.was_idle_for(), now)) return;
  const auto in_ms = [](steady_clock::duration time) {
    return std::chrono::duration<double, std::milli>(time).count();
  };
  telemetry::log(telemetry::LogLevel::warn,
                 "the upstream ended a kept connection as it was used again; for a while, only "
                 "connections that were idle for less are used again",
                 {{"idle_ms", in_ms(connection.was_idle_for())},
                  {"idle_ms_max", in_ms(reuse_age_.limit())},
                  {"for_ms", in_ms(reuse_age_.until() - now)}});
}

bool UpstreamPool::wait_with(std::size_t bytes) {
  const ClientLimits& limits = setup_->options.limits;
  const std::size_t bytes_max = std::max(limits.buffered_bytes, limits.body_bytes);
  if (waiting_bytes_.fetch_add(bytes) + bytes > bytes_max) {
    waiting_bytes_ -= bytes;
    metrics_.shed(telemetry::Buffered::waiters);
    return false;
  }
  metrics_.buffered(telemetry::Buffered::waiters, static_cast<std::int64_t>(bytes));
  return true;
}

void UpstreamPool::wait_ended(std::size_t bytes) {
  waiting_bytes_ -= bytes;
  metrics_.buffered(telemetry::Buffered::waiters, -static_cast<std::int64_t>(bytes));
}

Task<UpstreamPool::Acquired> UpstreamPool::acquire(std::size_t bytes) {
  using Reason = gate::NotSent::Reason;
  Acquired acquired;
  acquired.connection = take_idle();
  if (acquired.connection) co_return acquired;

  Wait wait(*this, connections_, bytes);
  waits_.push_back(&wait);
  const bool granted = co_await wait;
  waits_.erase(std::ranges::find(waits_, &wait));
  if (wait.connection) {
    acquired.connection = std::move(wait.connection);
    co_return acquired;
  }
  if (!granted) {
    acquired.error = {Reason::busy,
                      "No upstream connection became free in time, or too many wait."};
    co_return acquired;
  }
  UpstreamConnection::Owner& owner = *this;
  acquired.connection = std::make_unique<UpstreamConnection>(owner, loop_, options().idle_timeout,
                                                             Slots::Taken(&connections_), metrics_);
  all_.push_back(*acquired.connection);
  const std::shared_ptr<const UpstreamAddress::Found> found = address_.get();
  io::IoError error = io::IoError::broken;
  if (found) {
    UpstreamConnection& connection = *acquired.connection;
    connection.expire_after(options().connect_timeout);
    error = co_await connection.connect(found->addresses, options().connect_timeout);
    connection.destination.tls = found->tls;
    if (error == io::IoError::none && found->tls) error = co_await secure(connection);
    connection.disarm();
    connection.destination.generation = found->generation;
    connection.destination.address = found->addresses[connection.connected_to()];
    if (error == io::IoError::none && connection.connected_to() > 0)
      address_.prefer(connection.destination.address);
  }
  if (error != io::IoError::none) {
    if (acquired.connection->tls() != nullptr) {
      acquired.tls_failure = error == io::IoError::timed_out
                                 ? "the handshake took too long"
                                 : acquired.connection->tls()->failure().message;
    }
    acquired.error =
        error == io::IoError::timed_out
            ? gate::NotSent{Reason::timeout, "Connecting to the upstream timed out."}
        : acquired.connection->tls() != nullptr
            ? gate::NotSent{Reason::unreachable, "The TLS handshake with the upstream failed."}
        : found ? gate::NotSent{Reason::unreachable, "The upstream refuses connections."}
                : gate::NotSent{Reason::unreachable, "The upstream's name is unknown."};
    acquired.connection.reset();
  }
  co_return acquired;
}

Task<io::IoError> UpstreamPool::secure(UpstreamConnection& connection) {
  const telemetry::TlsPort port = options().tls_port;
  // It was closed in the round in which it was connected: the worker ends.
  if (!connection.open()) co_return io::IoError::broken;
  connection.speak_tls(connection.destination.tls->context());
  const io::IoError error = co_await connection.handshake();
  if (error == io::IoError::none) {
    tls_metrics_.handshake(port, connection.tls()->resumed());
  } else if (error == io::IoError::timed_out) {
    tls_metrics_.failed(port, {}, "timeout", "the handshake took too long");
  } else {
    const tls::Failure& failure = connection.tls()->failure();
    tls_metrics_.failed(port, {}, failure.reason, failure.message);
  }
  co_return error;
}

void UpstreamPool::give_back(Lease connection, std::optional<std::chrono::seconds> announced) {
  if (draining_) return;
  // Bytes behind the answer belong to no request, and show that the two sides disagree about its
  // end.
  if (!connection->buffer.empty() || !connection->quiet(false)) return;
  if (address_outdated(*connection) || connections_.crowded()) return;
  milliseconds kept = options().keepalive_timeout;
  std::optional<milliseconds> announced_less;
  if (announced) {
    announced_less = less_margin(*announced);
    kept = std::min(kept, *announced_less);
  }
  if (kept <= milliseconds(0) || !reuse_age_.allows({}, loop_.now())) return;
  connection->answered(announced_less);
  for (Wait* wait : waits_) {
    if (wait->hand_over(connection)) return;
  }
  if (connections_.anybody_waits()) return;
  connection->keep(loop_.now(), kept);
  idle_.push_back(std::move(connection));
}

void UpstreamPool::ended_while_idle(UpstreamConnection& connection) {
  const auto now = loop_.now();
  reuse_age_.ended(connection.idle_for(now), now);
  drop(connection);
}

void UpstreamPool::close_all() {
  close_idle();
  for (UpstreamConnection& connection : all_) connection.close();
}

void UpstreamPool::trim() {
  if (options().keepalive_timeout == milliseconds(0)) idle_.clear();
  std::erase_if(idle_, [this](const Lease& lease) { return address_outdated(*lease); });
  while (!idle_.empty() && connections_.crowded()) idle_.erase(idle_.begin());
}

void UpstreamPool::drop(const UpstreamConnection& connection) {
  std::erase_if(idle_, [&](const Lease& lease) { return lease.get() == &connection; });
}

Task<std::optional<UpstreamPool::Turn>> UpstreamPool::turn(Slots& turns, std::size_t bytes) {
  std::optional<Turn> turn;
  Wait wait(*this, turns, bytes);
  const bool granted = co_await wait;
  if (granted) turn.emplace(&turns);
  co_return turn;
}

void UpstreamPool::abandon(std::unique_ptr<AbandonedCall> call) {
  AbandonedCall& begun = *call;
  abandoned_.push_back(std::move(call));
  metrics_.abandoned(+1);
  io::start(end_abandoned(begun));
}

Task<void> UpstreamPool::end_abandoned(AbandonedCall& call) {
  const telemetry::AbandonedEnd end = co_await call.run(options());
  metrics_.abandoned(-1);
  metrics_.abandoned_ended(end);
  if (end == telemetry::AbandonedEnd::timed_out) {
    telemetry::log(
        telemetry::LogLevel::warn,
        "upstream.abandoned_timeout has passed: a turn is released although the upstream "
        "has neither answered nor closed the connection");
  }
  std::erase_if(abandoned_, [&](const auto& each) { return each.get() == &call; });
}

void UpstreamPool::stop_abandoned() {
  for (const auto& call : abandoned_) call->stop();
}

void UpstreamPool::reclaim() {
  if (idle_.empty() || !connections_.anybody_waits()) return;
  idle_.erase(idle_.begin());
}

}  // namespace onceproxy::http
