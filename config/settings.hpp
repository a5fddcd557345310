// Settings: the whole configuration file, checked, with every default filled in. Plain values.
// What a part of the program takes as it is read is that part's own struct, with its defaults. Each
// field's meaning and default stand in the schema (`onceproxy schema`).
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
#include "proxy/telemetry/access_format.hpp"
#include "proxy/telemetry/options.hpp"
#include "proxy/tls/options.hpp"
#include "store/postgres/options.hpp"
#include "store/rocksdb/options.hpp"

namespace onceproxy::config {

/// host:port (host is an IPv4 address, an IPv6 address in brackets, or a name) or unix:/path.
struct Address {
  /// Empty for a unix socket. An IPv6 address without its brackets.
  std::string host;
  std::uint16_t port = 0;
  /// Empty for TCP.
  std::string unix_path;

  /// As the configuration writes it.
  std::string text() const;
  bool operator==(const Address&) const = default;
};

/// Where a port listens, and whether it speaks TLS there.
struct ListenSettings : Address {
  /// Names of files in PEM form; what is in them is read by proxy/tls.
  std::optional<tls::ServerOptions> tls;

  bool operator==(const ListenSettings&) const = default;
};

struct UpstreamSettings : http::UpstreamLimits {
  Address address;
  /// Absent: plain HTTP.
  std::optional<tls::ClientOptions> tls;
};

struct LimitSettings : http::ClientLimits {
  /// Becomes the store's.
  std::size_t pending = store::RocksDbOptions().pending_max;
};

struct LogSettings : telemetry::LogOptions {
  /// Absent: requests are not captured.
  std::optional<telemetry::CaptureOptions> capture;
  /// nullptr: the access log's own format.
  std::shared_ptr<const telemetry::AccessFormat> access_format;
};

struct AuditSettings : store::AuditOptions {
  /// With PostgreSQL, the directory of this instance's log; empty: there is none. RocksDB's has
  /// one.
  std::string path;

  bool operator==(const AuditSettings&) const = default;
};

/// `dead_letters` and `delivery` at the top level; become the store's (LedgerOptions).
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
  /// Absent: operations are remembered as `store` says, in this process.
  std::optional<store::PostgresOptions> postgres;
  std::optional<ListenSettings> admin;
  /// Where the admin port's bearer token stands; empty: none is asked for.
  std::string admin_token_file;
  /// Where the token stands that may read and change nothing; empty: there is none.
  std::string admin_read_token_file;
  /// What Host may say where no token is asked for, besides loopback and the bound address.
  std::vector<std::string> admin_hosts;
  std::optional<ListenSettings> telemetry;
  /// Where an Envoy asks about its requests (ext_proc); absent: there is no such port.
  std::optional<ListenSettings> envoy;
  /// Absent: nothing is traced.
  std::optional<telemetry::TracingOptions> tracing;
  AuditSettings audit;
  LimitSettings limits;
  LogSettings log;
  DeadLetterSettings dead_letters;
  EventSettings events;
  /// Absent: answers made here are for pages of the same origin alone.
  std::optional<policies::Cors> cors;
  /// 0: one per core the cgroup allows.
  std::size_t workers = 0;
  std::vector<policies::Policy> policies;
};

}  // namespace onceproxy::config
