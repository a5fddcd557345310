#include "proxy/http/upstream.hpp"

#include <algorithm>
#include <utility>

#include "proxy/telemetry/log.hpp"

namespace onceproxy::http {

namespace {

using std::chrono::steady_clock;

/// A connection unused for longer is looked at once more before a request is written to it: its
/// peer's keep-alive time may be over, and the news of it still on the way to this loop.
constexpr std::chrono::milliseconds surely_open{500};

}  // namespace

/// Awaits a slot, or a connection that this worker is done with, no longer than a time.
class UpstreamPool::Wait final : public Deadline, public Slots::Waiter, EventLoop::Deferred {
 public:
  Wait(UpstreamPool& pool, Slots& slots)
      : Deadline(pool.loop_.deadlines()), pool_(pool), slots_(slots) {
    loop = &pool.home_;
    resume = [](store::CallBase& call) { static_cast<Wait&>(call).end(true); };
  }

  /// Handed over instead of a slot.
  Lease connection;

  bool await_ready() { return granted_ = slots_.try_take(); }
  bool await_suspend(std::coroutine_handle<> waiter) {
    waiter_ = waiter;
    arm(pool_.options().connect_timeout);
    granted_ = slots_.wait(*this);
    if (granted_) disarm();
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
    granted_ = granted;
    waiter_.resume();
  }

  UpstreamPool& pool_;
  Slots& slots_;
  std::coroutine_handle<> waiter_;
  bool granted_ = false;
};

UpstreamConnection::UpstreamConnection(UpstreamPool& pool, EventLoop& loop,
                                       std::chrono::milliseconds stall, Slots::Taken slot)
    : Stream(loop, -1, stall), pool_(pool), slot_(std::move(slot)) {
  pool_.all_.push_back(*this);
  pool_.metrics_.connection(telemetry::Side::upstream, +1);
}

UpstreamConnection::~UpstreamConnection() {
  close();
  pool_.all_.erase(pool_.all_.iterator_to(*this));
  if (!lent_) pool_.metrics_.idle_connection(-1);
  pool_.metrics_.connection(telemetry::Side::upstream, -1);
}

void UpstreamConnection::stirred() {
  // While it is lent, the answer may begin before anybody awaits it.
  if (!lent_) pool_.drop(*this);
}

void UpstreamConnection::expired() {
  if (lent_) {
    Stream::expired();
  } else {
    pool_.drop(*this);
  }
}

void UpstreamConnection::awaited_twice(std::string_view operation) {
  pool_.metrics_.connection_defect(telemetry::awaited_twice);
  telemetry::log(telemetry::LogLevel::error, "connection closed: a second coroutine awaited it",
                 {{"side", "upstream"}, {"operation", operation}});
}

UpstreamPool::UpstreamPool(EventLoop& loop, store::Loop& home,
                           const std::shared_ptr<const Setup>& setup,
                           const UpstreamAddress& address, Slots& connections,
                           telemetry::WorkerMetrics& metrics)
    : loop_(loop),
      home_(home),
      setup_(setup),
      address_(address),
      connections_(connections),
      metrics_(metrics) {}

UpstreamPool::~UpstreamPool() = default;

Lease UpstreamPool::take_idle() {
  while (!idle_.empty()) {
    Lease connection = std::move(idle_.back());
    idle_.pop_back();
    connection->disarm();
    connection->lent_ = true;
    metrics_.idle_connection(-1);
    const bool look = steady_clock::now() - connection->idle_since_ > surely_open;
    if (!leads_astray(*connection) && connection->quiet(look)) return connection;
  }
  return nullptr;
}

Task<UpstreamPool::Acquired> UpstreamPool::acquire() {
  using Reason = gate::NotSent::Reason;
  Acquired acquired;
  acquired.connection = take_idle();
  if (acquired.connection) co_return acquired;

  Wait wait(*this, connections_);
  waits_.push_back(&wait);
  const bool granted = co_await wait;
  waits_.erase(std::ranges::find(waits_, &wait));
  if (wait.connection) {
    acquired.connection = std::move(wait.connection);
    co_return acquired;
  }
  if (!granted) {
    acquired.error = {Reason::busy, "No upstream connection became free in time."};
    co_return acquired;
  }
  acquired.connection = std::make_unique<UpstreamConnection>(*this, loop_, options().idle_timeout,
                                                             Slots::Taken(&connections_));
  const std::optional<UpstreamAddress::Found> found = address_.get();
  IoError error = IoError::broken;
  if (found) {
    acquired.connection->generation_ = found->generation;
    acquired.connection->expire_after(options().connect_timeout);
    error = co_await acquired.connection->connect(found->address);
    acquired.connection->disarm();
  }
  if (error != IoError::none) {
    acquired.connection.reset();
    acquired.error = error == IoError::timed_out
                         ? gate::NotSent{Reason::timeout, "Connecting to the upstream timed out."}
                     : found
                         ? gate::NotSent{Reason::unreachable, "The upstream refuses connections."}
                         : gate::NotSent{Reason::unreachable, "The upstream's name is unknown."};
  }
  co_return acquired;
}

void UpstreamPool::give_back(Lease connection) {
  // Bytes behind the answer belong to nobody, and say that the two sides disagree about its end.
  if (!connection->buffer.empty() || !connection->quiet(false)) return;
  if (leads_astray(*connection) || connections_.crowded()) return;
  connection->reused = true;
  for (Wait* wait : waits_) {
    if (wait->hand_over(connection)) return;
  }
  if (connections_.anybody_waits()) return;
  connection->buffer.shrink();
  connection->lent_ = false;
  metrics_.idle_connection(+1);
  connection->idle_since_ = steady_clock::now();
  connection->expire_after(options().idle_timeout);
  idle_.push_back(std::move(connection));
}

void UpstreamPool::close_all() {
  close_idle();
  for (UpstreamConnection& connection : all_) connection.close();
}

void UpstreamPool::trim() {
  std::erase_if(idle_, [this](const Lease& lease) { return leads_astray(*lease); });
  while (!idle_.empty() && connections_.crowded()) idle_.erase(idle_.begin());
}

void UpstreamPool::drop(const UpstreamConnection& connection) {
  std::erase_if(idle_, [&](const Lease& lease) { return lease.get() == &connection; });
}

Task<std::optional<UpstreamPool::Turn>> UpstreamPool::turn(Slots& turns) {
  std::optional<Turn> turn;
  Wait wait(*this, turns);
  const bool granted = co_await wait;
  if (granted) turn.emplace(&turns);
  co_return turn;
}

void UpstreamPool::reclaim() {
  if (idle_.empty() || !connections_.anybody_waits()) return;
  idle_.erase(idle_.begin());
}

}  // namespace onceproxy::http
