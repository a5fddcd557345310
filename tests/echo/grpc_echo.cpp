// grpc_echo: a server on proxy/http2 and proxy/grpc alone, for tests by foreign clients. Prints one
// line of JSON with its address once it listens. SIGTERM drains it: exit code 0 when all that was
// under way has ended, 1 when it had to be cut off.
//
//   grpc_echo ADDRESS [name=value …]
//
// ADDRESS: host:port or unix:/path. The names are those of http2::Limits, in milliseconds where
// they are times ("resets=10/5" for a rate), and loops, connections, message_bytes, drain,
// certificate, key and client_ca.
#include <signal.h>

#include <charconv>
#include <chrono>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "echo_methods.hpp"
#include "proxy/grpc/server.hpp"
#include "proxy/http2/port.hpp"
#include "proxy/telemetry/http2_metrics.hpp"
#include "proxy/telemetry/log.hpp"
#include "proxy/telemetry/metrics.hpp"
#include "proxy/tls/credentials.hpp"
#include "proxy/tls/ticket_keys.hpp"

using namespace onceproxy;

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    std::fprintf(stderr, "not a number: %s\n", std::string(text).c_str());
    std::exit(2);
  }
  return value;
}

struct Options {
  io::Endpoint endpoint;
  http2::Limits limits;
  std::size_t loops = 1;
  std::size_t connections = 1000;
  std::size_t message_bytes = 4 * 1024 * 1024;
  milliseconds drain{5'000};
  tls::ServerOptions tls;
};

using Setter = std::function<void(std::string_view)>;

template <typename Number>
Setter sets(Number& value) {
  return [&value](std::string_view text) { value = static_cast<Number>(number(text)); };
}
Setter sets(milliseconds& value) {
  return [&value](std::string_view text) { value = milliseconds(number(text)); };
}
Setter sets(http2::Rate& value) {
  return [&value](std::string_view text) {
    const std::size_t slash = text.find('/');
    value.burst = static_cast<std::uint32_t>(number(text.substr(0, slash)));
    value.per_second = static_cast<std::uint32_t>(number(text.substr(slash + 1)));
  };
}
Setter sets(std::string& value) {
  return [&value](std::string_view text) { value = text; };
}

Options options_of(const std::vector<std::string_view>& arguments) {
  Options options;
  http2::Limits& limits = options.limits;
  const std::map<std::string_view, Setter> setters{
      {"streams", sets(limits.streams)},
      {"header_bytes", sets(limits.header_bytes)},
      {"header_fields", sets(limits.header_fields)},
      {"stream_window", sets(limits.stream_window)},
      {"connection_window", sets(limits.connection_window)},
      {"header_timeout", sets(limits.header_timeout)},
      {"idle_timeout", sets(limits.idle_timeout)},
      {"give_way_after", sets(limits.give_way_after)},
      {"ping_interval", sets(limits.ping_interval)},
      {"ping_timeout", sets(limits.ping_timeout)},
      {"stall", sets(limits.stall)},
      {"resets", sets(limits.resets)},
      {"pace_resets", sets(limits.pace_resets)},
      {"pings", sets(limits.pings)},
      {"settings", sets(limits.settings)},
      {"empty_frames", sets(limits.empty_frames)},
      {"priorities", sets(limits.priorities)},
      {"window_updates", sets(limits.window_updates)},
      {"other_frames", sets(limits.other_frames)},
      {"continuations", sets(limits.continuations)},
      {"loops", sets(options.loops)},
      {"connections", sets(options.connections)},
      {"message_bytes", sets(options.message_bytes)},
      {"drain", sets(options.drain)},
      {"certificate", sets(options.tls.certificate)},
      {"key", sets(options.tls.key)},
      {"client_ca", sets(options.tls.client_ca)},
  };
  const std::string_view address = arguments.at(0);
  if (address.starts_with("unix:")) {
    options.endpoint.unix_path = address.substr(5);
  } else {
    const std::size_t colon = address.rfind(':');
    options.endpoint.host = address.substr(0, colon);
    options.endpoint.port = static_cast<std::uint16_t>(number(address.substr(colon + 1)));
  }
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const std::size_t equals = arguments[i].find('=');
    setters.at(arguments[i].substr(0, equals))(arguments[i].substr(equals + 1));
  }
  return options;
}

/// One loop and what it serves.
class Server {
 public:
  Server(const Options& options, io::Slots& slots, telemetry::Metrics& metrics)
      : calls_(services_, {"echo", options.message_bytes}, metrics.http2().add("echo")),
        port_(loop_, handler_, slots, metrics.http2(), metrics.tls(), {"echo", options.limits}),
        drain_(options.drain) {
    echo::add_methods(services_, [&metrics] { return metrics.exposition(); });
  }

  io::EventLoop& loop() { return loop_; }
  http2::Port& port() { return port_; }
  /// From any thread.
  void drain() {
    loop_.post([this] {
      port_.drain();
      until_ = steady_clock::now() + drain_;
    });
  }
  /// True: nothing was cut off.
  bool run() {
    port_.start();
    loop_.run();
    return !cut_off_;
  }

 private:
  void tick() {
    if (!until_) return;
    if (port_.idle()) return loop_.stop();
    if (steady_clock::now() < *until_) return;
    cut_off_ = true;
    port_.close();
  }

  io::EventLoop loop_{[this] { tick(); }, [](bool) { return true; }};
  grpc::Services services_;
  grpc::Server calls_;
  echo::EchoHandler handler_{calls_};
  http2::Port port_;
  const milliseconds drain_;
  std::optional<steady_clock::time_point> until_;
  bool cut_off_ = false;
};

}  // namespace

int main(int count, char** words) {
  if (count < 2) return 2;
  const Options options = options_of({words + 1, words + count});
  ::signal(SIGPIPE, SIG_IGN);
  sigset_t heard;
  ::sigemptyset(&heard);
  ::sigaddset(&heard, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &heard, nullptr);
  telemetry::set_up_log(telemetry::LogLevel::info, telemetry::LogFormat::json);

  telemetry::Metrics metrics("test");
  tls::TicketKeys tickets;
  std::shared_ptr<const tls::ServerPort> secure;
  if (!options.tls.certificate.empty()) {
    auto context = tls::ServerContext::make(
        options.tls, tls::read_credentials(options.tls, std::chrono::system_clock::now()), tickets,
        tls::Protocols::http2);
    if (!context) {
      std::fprintf(stderr, "%s\n", context.error().c_str());
      return 2;
    }
    secure = std::make_shared<tls::ServerPort>(*context);
    metrics.tls().speaks(telemetry::TlsPort::envoy);
  }
  io::Slots slots(options.connections);
  std::vector<std::unique_ptr<Server>> servers;
  std::vector<io::EventLoop*> loops;
  for (std::size_t i = 0; i < options.loops; ++i) {
    servers.push_back(std::make_unique<Server>(options, slots, metrics));
    loops.push_back(&servers.back()->loop());
  }
  io::BoundAddress bound = io::bind_listeners(options.endpoint, loops);
  for (std::size_t i = 0; i < options.loops; ++i) {
    servers[i]->port().listen(std::move(bound.acceptors[i]), secure);
  }
  bool in_order = true;
  std::vector<std::thread> threads;
  std::vector<char> results(servers.size());
  for (std::size_t i = 0; i < servers.size(); ++i) {
    threads.emplace_back([&, i] { results[i] = servers[i]->run(); });
  }
  std::printf("{\"listening\":\"%s\"}\n", bound.text.c_str());
  std::fflush(stdout);
  int signal = 0;
  ::sigwait(&heard, &signal);
  for (const auto& server : servers) server->drain();
  for (std::size_t i = 0; i < threads.size(); ++i) {
    threads[i].join();
    in_order = in_order && results[i] != 0;
  }
  return in_order ? 0 : 1;
}
