#include "proxy/http/server.hpp"

#include "proxy/http/client_connection.hpp"
#include "proxy/http/listener.hpp"

namespace onceproxy::http {

namespace {

/// After the last patience: what is pending has been cancelled and only has to notice.
constexpr std::chrono::seconds abort_time{5};

}  // namespace

Server::Server(Options options, const std::vector<Endpoint>& listen, std::size_t workers,
               store::Store& store, const store::Clock& clock, telemetry::Metrics& metrics,
               telemetry::AccessLog& access_log, std::shared_ptr<const gate::Rules> rules)
    : shared_{options,
              store,
              clock,
              metrics,
              access_log,
              UpstreamAddress(options.upstream.endpoint),
              Slots(options.limits.connections),
              Slots(options.upstream.connections_max,
                    [this] {
                      for (const auto& worker : workers_) worker->reclaim_upstream();
                    }),
              Slots(options.upstream.concurrency_max)} {
  for (std::size_t i = 0; i < workers; ++i) {
    workers_.push_back(std::make_unique<Worker>(shared_, rules));
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

void Server::start() {
  running_ = workers_.size();
  for (const auto& worker : workers_) {
    threads_.emplace_back([this, &worker = *worker] {
      worker.run();
      const std::lock_guard lock(mutex_);
      --running_;
      ended_.notify_all();
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
  return ended_.wait_for(lock, patience, [this] { return running_ == 0; });
}

}  // namespace onceproxy::http
