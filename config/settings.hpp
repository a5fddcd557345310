// Settings: the whole configuration file, validated and with all defaults. Plain values. The
// options of each part of the program are that part's own struct, with its defaults. The schema
// (`onceproxy schema`) describes the meaning and default of each field.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "policies/cors.hpp"
#include "policies/policy.hpp"
#include "proxy/http/limits.hpp"
#include "proxy/io/endpoint.hpp"
#include "proxy/telemetry/access_format.hpp"
#include "proxy/telemetry/options.hpp"
#include "proxy/tls/options.hpp"
#include "store/postgres/options.hpp"
#include "store/rocksdb/options.hpp"

namespace onceproxy::config {

using io::Endpoint;

/// Where a port listens, and its TLS settings.
struct ListenSettings : Endpoint {
  /// Names of files in PEM form; proxy/tls reads them.
  std::optional<tls::ServerOptions> tls;

  bool operator==(const ListenSettings&) const = default;
};

struct UpstreamSettings : http::UpstreamLimits {
  Endpoint address;
  /// Absent: plain HTTP.
  std::optional<tls::ClientOptions> tls;
};

struct LimitSettings : http::ClientLimits {
  /// Passed to the store.
  std::size_t pending = store::RocksDbOptions().pending_max;
};

struct LogSettings : telemetry::LogOptions {
  /// Absent: requests are not captured.
  std::optional<telemetry::CaptureOptions> capture;
  /// nullptr: the access log's own format.
  std::shared_ptr<const telemetry::AccessFormat> access_format;
};

struct AuditSettings : store::AuditOptions {
  /// With PostgreSQL: the directory of this instance's log; empty: there is no log. RocksDB has its
  /// own directory.
  std::string path;

  bool operator==(const AuditSettings&) const = default;
};

/// `dead_letters` and `delivery` at the top level; passed to the store (LedgerOptions).
struct DeadLetterSettings {
  std::chrono::milliseconds retention = store::LedgerOptions().dead_retention;
};
struct EventSettings {
  std::uint64_t bytes_max = store::LedgerOptions().bytes_max;
};

struct Settings {
  std::vector<ListenSettings> listen;
  UpstreamSettings upstream;
  store::RocksDbOptions store;
  /// Absent: operations are stored as in `store`, in this process.
  std::optional<store::PostgresOptions> postgres;
  std::optional<ListenSettings> admin;
  /// The file with the admin port's bearer token; empty: no token is required.
  std::string admin_token_file;
  /// The file with the token that allows only reading; empty: there is none.
  std::string admin_read_token_file;
  /// The accepted values of Host without a token, besides loopback and the bound address.
  std::vector<std::string> admin_hosts;
  std::optional<ListenSettings> telemetry;
  /// The address for Envoy's ext_proc filter; absent: there is no such port.
  std::optional<ListenSettings> envoy;
  /// Absent: tracing is off.
  std::optional<telemetry::TracingOptions> tracing;
  AuditSettings audit;
  LimitSettings limits;
  LogSettings log;
  DeadLetterSettings dead_letters;
  EventSettings events;
  /// Absent: onceproxy's answers are only for pages of the same origin.
  std::optional<policies::Cors> cors;
  /// 0: one for each core that the cgroup allows.
  std::size_t workers = 0;
  std::vector<policies::Policy> policies;
};

}  // namespace onceproxy::config
