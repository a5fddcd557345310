#include "proxy/store_telemetry.hpp"

#include <chrono>
#include <cstddef>
#include <string_view>

#include "proxy/telemetry/log.hpp"

namespace onceproxy {

using telemetry::LogLevel;

namespace {

void log_store_error(std::string_view operation, std::string_view detail) {
  telemetry::log(LogLevel::error, "store error", {{"operation", operation}, {"error", detail}});
}

void permit_dropped(telemetry::Metrics& metrics) {
  metrics.permit_dropped();
  telemetry::log(LogLevel::error, "permit dropped",
                 {{"error", "a reservation was left to its lease"}});
}

}  // namespace

store::RocksDbObserver store_observer(telemetry::Metrics& metrics) {
  store::RocksDbObserver observer;
  observer.committed = [&metrics](std::chrono::nanoseconds duration, std::size_t operations) {
    metrics.store_commit(duration, operations);
  };
  observer.failed = [&metrics](std::string_view operation, std::string_view detail) {
    metrics.store_error(operation);
    log_store_error(operation, detail);
  };
  observer.permit_dropped = [&metrics] { permit_dropped(metrics); };
  observer.event = [](std::string_view what) { telemetry::log(LogLevel::warn, what); };
  return observer;
}

store::PostgresObserver postgres_observer(telemetry::Metrics& metrics) {
  store::PostgresObserver observer;
  observer.committed = [&metrics](std::chrono::nanoseconds duration) {
    metrics.store_commit(duration, 1);
  };
  observer.failed = [&metrics](std::string_view kind) { metrics.store_error(kind); };
  observer.trouble = [](std::string_view kind, std::string_view detail) {
    log_store_error(kind, detail);
  };
  observer.permit_dropped = [&metrics] { permit_dropped(metrics); };
  observer.event = [](std::string_view what) { telemetry::log(LogLevel::warn, what); };
  return observer;
}

}  // namespace onceproxy
