#include "store/postgres/connector.hpp"

#include <algorithm>
#include <utility>

namespace onceproxy::store {

Connector::Connector(const PostgresOptions& options, const PostgresTuning& tuning,
                     Counters& counters, Failed failed)
    : options_(options),
      tuning_(tuning),
      counters_(counters),
      failed_(std::move(failed)),
      pause_(tuning.reconnect_first),
      thread_([this] { run(); }) {}

Connector::~Connector() {
  stop();
}

void Connector::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_.store(true);
    wishes_.clear();
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Connector::want(const void* owner, bool listen, std::vector<int> silent, Made made) {
  const std::lock_guard lock(mutex_);
  if (stopping_.load()) return;
  wishes_.push_back({owner, listen, std::move(silent), std::move(made)});
  changed_.notify_all();
}

void Connector::forget(const void* owner) {
  const std::lock_guard lock(mutex_);
  std::erase_if(wishes_, [&](const Wish& wish) { return wish.owner == owner; });
}

std::string Connector::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

void Connector::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_.load()) {
    if (wishes_.empty()) {
      changed_.wait(lock);
    } else {
      attempt(lock);
    }
  }
}

/// Makes a connection for the oldest wish.
void Connector::attempt(std::unique_lock<std::mutex>& lock) {
  const bool listen = wishes_.front().listen;
  const std::vector<int> silent = wishes_.front().silent;
  lock.unlock();
  ConnectError error;
  Server server;
  std::vector<int> idle;
  auto connected = connect(options_, stopping_, &first_host_);
  auto* const session = std::get_if<pq::ConnectionPtr>(&connected);
  if (session != nullptr) {
    const Patience patience{Patience::SteadyClock::now() + options_.connect_timeout, stopping_};
    idle = idle_processes(session->get(), silent, patience);
    auto prepared = prepare(session->get(), options_, listen, patience);
    if (const auto* const found = std::get_if<Server>(&prepared)) {
      server = *found;
    } else {
      error = std::get<ConnectError>(std::move(prepared));
    }
  } else {
    error = std::get<ConnectError>(std::move(connected));
  }
  if (!error.state.empty()) {
    Counters::add(counters_.connect_failures);
    ++first_host_;  // it may take connections and be of no use
    if (!stopping_.load()) failed_(error);
    lock.lock();
    failure_ = error.message;
    changed_.wait_for(lock, pause_, [this] { return stopping_.load(); });
    pause_ = std::min(pause_ * 2, tuning_.reconnect_last);
    return;
  }
  Counters::add(counters_.connects);
  epoch_.store(server.epoch, std::memory_order_relaxed);
  lock.lock();
  failure_.clear();
  pause_ = tuning_.reconnect_first;
  const auto found = std::find_if(wishes_.begin(), wishes_.end(),
                                  [&](const Wish& wish) { return wish.listen == listen; });
  if (found == wishes_.end()) return;  // nobody wants it any more
  const Wish wish = std::move(*found);
  wishes_.erase(found);
  // Under the lock: who was forgotten is told no more.
  wish.made(std::move(*session), server, idle);
}

}  // namespace onceproxy::store
