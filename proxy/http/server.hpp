// Server: the data port. Binds the listeners, runs the workers on their threads, and drains them.
// Thread-safety: start(), drain() and the destructor belong to one thread; the rest may be called
// from any.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "proxy/gate/gate.hpp"
#include "proxy/http/worker.hpp"

namespace onceproxy::http {

class Server {
 public:
  /// Binds every address at once; throws std::system_error with a message that names the one that
  /// cannot be had. `workers` is at least 1.
  Server(Options options, const std::vector<Endpoint>& listen, std::size_t workers,
         store::Store& store, const store::Clock& clock, telemetry::Metrics& metrics,
         telemetry::AccessLog& access_log, std::shared_ptr<const gate::Rules> rules);
  /// Drains first, without patience.
  ~Server();

  /// host:port as bound.
  const std::vector<std::string>& addresses() const { return addresses_; }

  void start();
  /// Stops accepting, from any thread, and returns at once. Nothing under way is ended.
  void stop_listening();
  /// Stops accepting, lets what is under way end, waits no longer than `patience`, then ends the
  /// rest as unknown. True: nothing had to be ended. Idempotent.
  bool drain(std::chrono::milliseconds patience);

 private:
  bool wait_for_workers(std::chrono::milliseconds patience);

  Shared shared_;
  std::vector<std::string> addresses_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable ended_;
  std::size_t running_ = 0;
};

}  // namespace onceproxy::http
