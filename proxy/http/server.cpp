#include "proxy/http/server.hpp"

#include "proxy/http/client_connection.hpp"
#include "proxy/http/listener.hpp"

namespace onceproxy::http {

namespace {

/// After the last patience: what is pending has been cancelled and only has to notice.
constexpr std::chrono::seconds abort_time{5};

/// Workers answer a task in far less; one that has just ended never does.
constexpr std::chrono::seconds adopt_time{5};

std::shared_ptr<const Setup> setup_of(const Options& options,
                                      std::shared_ptr<const gate::Rules> rules) {
  const Endpoint& upstream = options.upstream.endpoint;
  return std::make_shared<const Setup>(
      Setup{options, std::move(rules), upstream.unix_path.empty() ? upstream.text() : "localhost"});
}

}  // namespace

Server::Server(Options options, const std::vector<Endpoint>& listen, std::size_t workers,
               store::Store& store, const store::Clock& clock, telemetry::Metrics& metrics,
               telemetry::AccessLog& access_log, std::shared_ptr<const gate::Rules> rules,
               telemetry::Tracer* tracer)
    : shared_{store,
              clock,
              metrics,
              access_log,
              tracer,
              UpstreamAddress(options.upstream.endpoint),
              Slots(options.limits.connections),
              Slots(options.upstream.connections_max,
                    [this] {
                      for (const auto& worker : workers_) worker->reclaim_upstream();
                    }),
              Slots(options.upstream.concurrency_max)} {
  const std::shared_ptr<const Setup> setup = setup_of(options, std::move(rules));
  for (std::size_t i = 0; i < workers; ++i) {
    workers_.push_back(std::make_unique<Worker>(shared_, setup));
  }
  for (const Endpoint& endpoint : listen) {
    const BoundAddress bound = bind_listeners(endpoint, workers);
    addresses_.push_back(bound.text);
    for (std::size_t i = 0; i < workers; ++i) workers_[i]->listen(bound.descriptors[i]);
  }
}

Server::~Server() {
  drain(std::chrono::milliseconds(0));
}

void Server::configure(const Options& options, std::shared_ptr<const gate::Rules> rules) {
  shared_.upstream_address.move(options.upstream.endpoint);
  shared_.client_slots.set_limit(options.limits.connections);
  shared_.upstream_slots.set_limit(options.upstream.connections_max);
  shared_.turns.set_limit(options.upstream.concurrency_max);
  const std::shared_ptr<const Setup> setup = setup_of(options, std::move(rules));
  // Its own, since a worker may come to it when nobody waits any more.
  const auto left = std::make_shared<std::size_t>(workers_.size());
  for (const auto& worker : workers_) {
    worker->adopt(setup, [this, left] {
      const std::lock_guard lock(mutex_);
      --*left;
      changed_.notify_all();
    });
  }
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, adopt_time, [&] { return *left == 0 || running_ == 0; });
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
    running_ = workers_.size();
  }
  for (const auto& worker : workers_) {
    threads_.emplace_back([this, &worker = *worker] {
      worker.run();
      const std::lock_guard lock(mutex_);
      --running_;
      changed_.notify_all();
    });
  }
}

void Server::stop_listening() {
  for (const auto& worker : workers_) worker->drain();
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
  return changed_.wait_for(lock, patience, [this] { return running_ == 0; });
}

}  // namespace onceproxy::http
