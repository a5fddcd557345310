#include "proxy/cli/doctor/network_checks.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>

#include "proxy/admin/client.hpp"
#include "proxy/cli/doctor/addresses.hpp"
#include "proxy/tls/context.hpp"

namespace onceproxy::doctor {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::milliseconds patience_max = 5s;

class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() {
    if (number_ >= 0) ::close(number_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return number_; }

 private:
  const int number_;
};

std::string reason(int error) {
  return std::error_code(error, std::generic_category()).message();
}

/// 0, or why the address cannot be bound.
int try_to_bind(const SocketAddress& address) {
  const Descriptor socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (socket.get() < 0) return errno;
  const int on = 1;
  (void)::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  return ::bind(socket.get(), address.get(), address.size) == 0 ? 0 : errno;
}

std::string way_to_bind(int error) {
  switch (error) {
    case EADDRINUSE:
      return "`ss -ltnp` names the program that has it; stop that, or take another port";
    case EACCES:
      return "ports below 1024 need CAP_NET_BIND_SERVICE; take another port, or grant it";
    case EADDRNOTAVAIL:
      return "this machine has no such address; `ip address` names those that it has";
    default:
      return "take another address";
  }
}

void check_unix_port(const std::string& name, const std::string& path, Findings& out) {
  const std::filesystem::path above = std::filesystem::path(path).parent_path();
  if (::access(above.c_str(), W_OK | X_OK) != 0) {
    return out.fail(name + " cannot be made at " + path + ": " + reason(errno),
                    "make " + above.string() + " writable to this user");
  }
  out.ok(name + " can be made at " + path);
}

void check_port(const std::string& name, const io::Endpoint& address, bool runs, Findings& out) {
  if (!address.unix_path.empty()) return check_unix_port(name, address.unix_path, out);
  const auto found = resolve(address, true);
  if (!found) {
    return out.fail(
        name + " is not an address of this machine: " + address.text() + ": " + found.error(),
        "write an address, such as 0.0.0.0:8080");
  }
  for (const SocketAddress& one : *found) {
    const int error = try_to_bind(one);
    if (error == 0) continue;
    if (error == EADDRINUSE && runs) {
      return out.ok(name + " " + address.text() + " is in use, as expected while onceproxy runs");
    }
    return out.fail(name + " " + address.text() + " cannot be bound: " + reason(error),
                    way_to_bind(error));
  }
  out.ok(name + " " + address.text() + " is free");
}

/// 0, or why no connection is made.
int try_to_connect(const SocketAddress& address, std::chrono::milliseconds patience) {
  const Descriptor socket(
      ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (socket.get() < 0) return errno;
  if (::connect(socket.get(), address.get(), address.size) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  pollfd waiting{socket.get(), POLLOUT, 0};
  if (::poll(&waiting, 1, static_cast<int>(patience.count())) <= 0) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  (void)::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

void check_upstream_tls(const config::Settings& settings, const tls::ClientOptions& options,
                        Findings& out) {
  const tls::Credentials read = tls::read_credentials(options, std::chrono::system_clock::now());
  // Errors in the files are reported by the check `files`.
  if (!read.usable()) return;
  auto context = tls::ClientContext::make(options, read);
  if (!context) return;
  const io::Endpoint& address = settings.upstream.address;
  const auto answer = admin::ask({address.host, address.port, address.unix_path},
                                 {"OPTIONS", "*", "", *std::move(context)}, patience_max);
  if (answer) {
    out.ok("its certificate is accepted for " + options.server_name);
  } else {
    out.fail(answer.error(), "look at upstream.tls.ca and upstream.tls.server_name");
  }
}

}  // namespace

std::vector<Finding> check_ports(const config::Settings& settings, bool runs) {
  Findings out("ports");
  for (const config::ListenSettings& listen : settings.listen) {
    check_port("listen", listen, runs, out);
  }
  if (settings.telemetry) check_port("telemetry", *settings.telemetry, runs, out);
  if (settings.envoy) check_port("envoy", *settings.envoy, runs, out);
  if (settings.admin) check_port("admin", *settings.admin, runs, out);
  return out.take();
}

std::vector<Finding> check_upstream(const config::Settings& settings,
                                    const std::optional<tls::ClientOptions>& tls) {
  Findings out("upstream");
  const std::string address = settings.upstream.address.text();
  const auto found = resolve(settings.upstream.address, false);
  if (!found) {
    out.fail(address + " cannot be resolved: " + found.error(),
             "look at upstream.address, and at the name servers in /etc/resolv.conf");
    return out.take();
  }
  const auto patience = std::min(settings.upstream.connect_timeout, patience_max);
  std::size_t reached = 0;
  int error = 0;
  for (const SocketAddress& one : *found) {
    const int failed = try_to_connect(one, patience);
    if (failed == 0) ++reached;
    if (failed != 0) error = failed;
  }
  if (reached == 0) {
    out.fail(address + " takes no connection: " + reason(error),
             "start the service, or correct upstream.address");
    return out.take();
  }
  if (reached < found->size()) {
    out.warn(
        std::to_string(found->size() - reached) + " of the " + std::to_string(found->size()) +
            " addresses of " + address + " take no connection: " + reason(error),
        "the other addresses are used; check whether the name should resolve to those that failed");
  } else {
    out.ok(address + " takes connections");
  }
  if (tls) check_upstream_tls(settings, *tls, out);
  return out.take();
}

}  // namespace onceproxy::doctor
