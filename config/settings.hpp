// Settings: the whole configuration file, checked, with every default filled in. Plain values.
// Each field's meaning and default stand in the schema (`onceproxy schema`).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "policies/cors.hpp"
#include "policies/policy.hpp"
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

enum class TlsVersion { tls_1_2, tls_1_3 };

/// Names of files in PEM form; what is in them is read by proxy/tls.
struct ListenerTlsSettings {
  std::string certificate;
  std::string key;
  /// Empty: clients are asked for no certificate.
  std::string client_ca;
  bool client_certificate_required = true;
  TlsVersion version_min = TlsVersion::tls_1_2;

  bool operator==(const ListenerTlsSettings&) const = default;
};

/// Where a port listens, and whether it speaks TLS there.
struct ListenSettings : Address {
  std::optional<ListenerTlsSettings> tls;

  bool operator==(const ListenSettings&) const = default;
};

struct UpstreamTlsSettings {
  /// A file, or the word `system`.
  std::string ca = "system";
  /// Once the whole section was read: never empty.
  std::string server_name;
  /// Both or neither.
  std::string certificate;
  std::string key;

  bool operator==(const UpstreamTlsSettings&) const = default;
};

struct UpstreamSettings {
  Address address;
  /// Absent: plain HTTP.
  std::optional<UpstreamTlsSettings> tls;
  std::chrono::milliseconds connect_timeout{1'000};
  std::chrono::milliseconds response_timeout{30'000};
  std::chrono::milliseconds idle_timeout{60'000};
  /// 0: no connection is used twice.
  std::chrono::milliseconds keepalive_timeout{60'000};
  std::chrono::milliseconds abandoned_timeout{600'000};
  std::size_t connections_max = 1024;
  /// 0: no limit.
  std::size_t concurrency_max = 0;
  std::size_t head_bytes_max = 64 * 1024;
  /// What old services send beyond the standard is taken, where it can mean one thing only.
  bool lenient_http = false;
  /// x-forwarded-for, -proto and x-request-id go on with covered requests alone.
  bool forwards_covered_only = false;
};

struct LimitSettings {
  std::size_t connections = 10'000;
  std::size_t head_bytes = 16 * 1024;
  std::size_t headers = 100;
  std::size_t body_bytes = 1024 * 1024;
  std::size_t buffered_bytes = 32 * 1024 * 1024;
  std::chrono::milliseconds head_timeout{10'000};
  std::chrono::milliseconds body_timeout{30'000};
  std::chrono::milliseconds idle_timeout{75'000};
  std::size_t pending = 100'000;
  bool pass_encoded_slashes = false;
};

enum class LogLevel { trace, debug, info, warn, error };
enum class LogFormat { json, text };

struct CaptureSettings {
  std::string path;
  double sample = 1.0;
  std::uint64_t bytes_max = std::uint64_t{1} << 30;
  /// Lower case.
  std::vector<std::string> redact{"authorization", "cookie"};

  bool operator==(const CaptureSettings&) const = default;
};

struct LogSettings {
  LogLevel level = LogLevel::info;
  LogFormat format = LogFormat::json;
  /// Absent: requests are not captured.
  std::optional<CaptureSettings> capture;
};

struct TracingSettings {
  /// A whole http or https URL.
  std::string endpoint;
  double sample_ratio = 1.0;
  std::string service_name = "onceproxy";

  bool operator==(const TracingSettings&) const = default;
};

struct AuditSettings : store::AuditOptions {
  /// With PostgreSQL, the directory of this instance's log; empty: there is none. RocksDB's has
  /// one.
  std::string path;

  bool operator==(const AuditSettings&) const = default;
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
  /// Absent: nothing is traced.
  std::optional<TracingSettings> tracing;
  AuditSettings audit;
  LimitSettings limits;
  LogSettings log;
  /// Absent: answers made here are for pages of the same origin alone.
  std::optional<policies::Cors> cors;
  /// 0: one per core the cgroup allows.
  std::size_t workers = 0;
  std::vector<policies::Policy> policies;
};

}  // namespace onceproxy::config
