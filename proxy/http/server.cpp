#include "proxy/http/server.hpp"

#include <pthread.h>

#include <algorithm>

#include "proxy/io/listener.hpp"
#include "proxy/telemetry/log.hpp"

namespace onceproxy::http {

namespace {

/// After the last patience: what is pending has been cancelled and only has to notice.
constexpr std::chrono::seconds abort_time{5};

/// Workers answer a task in far less; one that has just ended never does.
constexpr std::chrono::seconds adopt_time{5};

std::shared_ptr<const Setup> setup_of(const Options& options,
                                      std::shared_ptr<const gate::Rules> rules) {
  const Endpoint& upstream = options.upstream.endpoint;
  GuardedFields guarded(rules->policies().policies());
  return std::make_shared<const Setup>(
      Setup{options, std::move(rules), upstream.unix_path.empty() ? upstream.text() : "localhost",
            std::move(guarded)});
}

/// The limit of request bodies in memory. At least one always fits.
std::size_t bodies_max(const Options& options) {
  return std::max(options.limits.buffered_bytes, options.limits.body_bytes);
}

std::size_t answers_max(const Options& options, const gate::Rules& rules) {
  std::size_t largest = options.limits.buffered_bytes;
  for (const policies::Policy& policy : rules.policies().policies()) {
    largest = std::max(largest, policy.replay.body_bytes_max);
  }
  return largest;
}

}  // namespace

Server::Server(Options options, const std::vector<ListenOptions>& listen, std::size_t workers,
               store::Store& store, const store::Clock& clock, telemetry::Metrics& metrics,
               telemetry::AccessLog& access_log, std::shared_ptr<const gate::Rules> rules,
               telemetry::Tracer* tracer, telemetry::Capture* capture,
               gate::Acknowledger* acknowledger, const SideListener& side)
    : shared_{store,
              clock,
              metrics,
              access_log,
              tracer,
              capture,
              UpstreamAddress(
                  options.upstream.endpoint, [&metrics] { metrics.upstream_lookup_failed(); },
                  options.upstream.tls),
              Slots(options.limits.connections),
              Slots(options.upstream.connections_max,
                    [this] {
                      for (const auto& worker : workers_) worker->reclaim_upstream();
                    }),
              Slots(options.upstream.concurrency_max),
              BufferBudget(telemetry::Buffered::bodies),
              BufferBudget(telemetry::Buffered::answers),
              workers,
              acknowledger},
      message_bytes_max_(side.message_bytes_max) {
  set_buffer_limits(options, *rules);
  const std::shared_ptr<const Setup> setup = setup_of(options, std::move(rules));
  std::vector<io::EventLoop*> loops;
  for (std::size_t i = 0; i < workers; ++i) {
    workers_.push_back(std::make_unique<Worker>(shared_, setup, side.make));
    loops.push_back(&workers_.back()->loop());
    serving_.push_back(false);
  }
  for (const ListenOptions& each : listen) {
    io::BoundAddress bound = io::bind_listeners(each.endpoint, loops);
    addresses_.push_back(std::move(bound.text));
    for (std::size_t i = 0; i < workers; ++i) {
      workers_[i]->listen(std::move(bound.acceptors[i]), each.tls);
    }
  }
  if (!side.make) return;
  io::BoundAddress bound = io::bind_listeners(side.endpoint, loops);
  side_address_ = std::move(bound.text);
  for (std::size_t i = 0; i < workers; ++i) {
    workers_[i]->listen_beside(std::move(bound.acceptors[i]));
  }
}

Server::~Server() {
  drain(std::chrono::milliseconds(0));
}

void Server::configure(const Options& options, std::shared_ptr<const gate::Rules> rules) {
  shared_.upstream_address.move(options.upstream.endpoint, options.upstream.tls);
  shared_.client_slots.set_limit(options.limits.connections);
  shared_.upstream_slots.set_limit(options.upstream.connections_max);
  shared_.turns.set_limit(options.upstream.concurrency_max);
  set_buffer_limits(options, *rules);
  const std::shared_ptr<const Setup> setup = setup_of(options, std::move(rules));
  // Owned by the callbacks, because a worker may run one after the waiting thread has left.
  const auto adopted = std::make_shared<std::vector<bool>>(workers_.size());
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    workers_[i]->adopt(setup, [this, adopted, i] {
      const std::lock_guard lock(mutex_);
      (*adopted)[i] = true;
      changed_.notify_all();
    });
  }
  std::unique_lock lock(mutex_);
  const auto all_have = [&] {
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      if (serving_[i] && !(*adopted)[i]) return false;
    }
    return true;
  };
  if (changed_.wait_for(lock, adopt_time, all_have)) return;
  telemetry::log(telemetry::LogLevel::warn, "a worker has not taken the new configuration yet");
}

void Server::set_buffer_limits(const Options& options, const gate::Rules& rules) {
  const std::size_t waiters = bodies_max(options);
  // One message always fits, too.
  const std::size_t bodies = std::max(waiters, message_bytes_max_);
  const std::size_t answers = answers_max(options, rules);
  shared_.bodies.set_limit(bodies);
  shared_.answers.set_limit(answers);
  shared_.metrics.buffered_max(telemetry::Buffered::bodies, bodies);
  shared_.metrics.buffered_max(telemetry::Buffered::answers, answers);
  shared_.metrics.buffered_max(telemetry::Buffered::waiters, waiters);
}

Server::UpstreamUse Server::upstream_use() const {
  return {shared_.upstream_address.place(),
          shared_.upstream_slots.used(),
          shared_.upstream_slots.limit(),
          shared_.upstream_slots.waiting() + shared_.turns.waiting(),
          shared_.turns.used(),
          shared_.turns.limit()};
}

void Server::start() {
  {
    const std::lock_guard lock(mutex_);
    serving_.assign(workers_.size(), true);
  }
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    threads_.emplace_back([this, i] {
      ::pthread_setname_np(::pthread_self(), "worker");
      workers_[i]->run();
      const std::lock_guard lock(mutex_);
      serving_[i] = false;
      changed_.notify_all();
    });
  }
}

void Server::stop_listening() {
  stops_listening_ = true;
  for (const auto& worker : workers_) worker->drain();
}

bool Server::drained() const {
  const std::lock_guard lock(mutex_);
  return stops_listening_ && std::ranges::find(serving_, true) == serving_.end();
}

bool Server::wait_until_drained(std::chrono::milliseconds patience) {
  return wait_for_workers(patience) && stops_listening_;
}

bool Server::alive_since(std::chrono::steady_clock::time_point since) const {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    if (serving_[i] && workers_[i]->ticked() < since) return false;
  }
  return true;
}

bool Server::drain(std::chrono::milliseconds patience) {
  stop_listening();
  bool clean = wait_for_workers(patience);
  if (!clean) {
    for (const auto& worker : workers_) worker->abort();
    wait_for_workers(abort_time);
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  return clean;
}

bool Server::wait_for_workers(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, patience,
                           [this] { return std::ranges::find(serving_, true) == serving_.end(); });
}

}  // namespace onceproxy::http
