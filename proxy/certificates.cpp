#include "proxy/certificates.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "proxy/cli/tls_files.hpp"
#include "proxy/telemetry/log.hpp"

namespace onceproxy {

namespace {

using std::chrono::steady_clock;
using std::chrono::system_clock;
using telemetry::LogLevel;
using telemetry::TlsPort;

/// Files that were refused may be accepted later without a change: a certificate that is not valid
/// yet, or a read that failed.
constexpr std::chrono::seconds refused_interval{10};

std::vector<std::string> files_of(const tls::ServerOptions& options) {
  return {options.certificate, options.key, options.client_ca};
}

std::vector<std::string> files_of(const tls::ClientOptions& options) {
  return {options.ca == tls::system_ca ? "" : options.ca, options.certificate, options.key};
}

auto made(TlsPort port, const tls::ServerOptions& options, const tls::Credentials& read,
          tls::TicketKeys& tickets) {
  // gRPC is spoken there.
  const auto protocols = port == TlsPort::envoy ? tls::Protocols::http2 : tls::Protocols::http1;
  return tls::ServerContext::make(options, read, tickets, protocols);
}

auto made(TlsPort, const tls::ClientOptions& options, const tls::Credentials& read,
          tls::TicketKeys&) {
  return tls::ClientContext::make(options, read);
}

}  // namespace

/// One side of TLS with its files.
template <typename Options, typename Context>
struct Certificates::Watched {
  Watched(TlsPort which, std::string where, Options from, tls::TicketKeys& keys)
      : port(which), place(std::move(where)), options(std::move(from)), tickets(keys) {
    for (const std::string& file : files_of(options)) {
      if (!file.empty()) watches.emplace_back(file);
    }
    in_force = read_now();
    const std::string complaint = in_force.complaint();
    last_read = in_force.digest;
    auto context = made(port, options, in_force, tickets);
    if (!context) throw std::runtime_error(place + ": " + context.error());
    current = std::make_shared<tls::Port<Context>>(*std::move(context));
    if (complaint.empty()) return;
    telemetry::log(LogLevel::error, "a certificate is not valid; peers will refuse it",
                   {{"key", place}, {"error", complaint}});
  }

  tls::Credentials read_now() const { return tls::read_credentials(options, system_clock::now()); }

  /// Nothing: nothing is new. Else whether the new files are in force.
  std::optional<bool> look() {
    bool changed = false;
    bool gone = false;
    for (FileWatch& watch : watches) {
      const FileWatch::Seen seen = watch.look();
      changed = changed || seen == FileWatch::Seen::changed;
      gone = gone || seen == FileWatch::Seen::gone;
    }
    if (gone) {
      tell("a file is missing or cannot be watched");
      return false;
    }
    const bool again = refused_until && steady_clock::now() >= *refused_until;
    if (!changed && !again) return std::nullopt;
    tls::Credentials read = read_now();
    if (read.digest == last_read && !again) return std::nullopt;
    last_read = read.digest;
    refused_until.reset();
    if (read.digest == in_force.digest) {
      telemetry::log(LogLevel::info, "the files of certificates contain the active ones again",
                     {{"key", place}});
      return std::nullopt;
    }
    return put_in_force(std::move(read));
  }

  const TlsPort port;
  const std::string place;
  const Options options;
  tls::TicketKeys& tickets;
  std::shared_ptr<tls::Port<Context>> current;

  Time expires() const { return in_force.expires; }

 private:
  std::optional<bool> put_in_force(tls::Credentials read) {
    // Keeping the active ones because of a fault that they have as well would only let them expire.
    // They may have expired, or become valid, since they were read.
    const std::vector<tls::Fault> known = tls::faults_at(options, in_force, system_clock::now());
    if (const std::string complaint = read.complaint(known); !complaint.empty()) {
      return refuse(read.digest, complaint);
    }
    auto context = made(port, options, read, tickets);
    if (!context) return refuse(read.digest, context.error());
    current->put(*std::move(context));
    refused.clear();
    in_force = std::move(read);
    const std::string still_wrong = in_force.complaint();
    telemetry::log(LogLevel::info, "certificates loaded", {{"key", place}});
    if (!still_wrong.empty()) {
      telemetry::log(LogLevel::warn, "the loaded certificates have a fault of the previous ones",
                     {{"key", place}, {"error", still_wrong}});
    }
    return true;
  }

  /// The same files with the same fault are reported once.
  std::optional<bool> refuse(const std::string& digest, const std::string& error) {
    refused_until = steady_clock::now() + refused_interval;
    std::string now_refused = digest + error;
    if (now_refused == refused) return std::nullopt;
    refused = std::move(now_refused);
    tell(error);
    return false;
  }

  void tell(const std::string& error) const {
    telemetry::log(LogLevel::error, "certificates not loaded; the active ones stay in use",
                   {{"key", place}, {"error", error}});
  }

  std::vector<FileWatch> watches;
  /// What the files said that are used. The context has references to the same key and
  /// certificates.
  tls::Credentials in_force;
  std::string last_read;
  /// What was refused last and why; empty if it was accepted since.
  std::string refused;
  /// When refused files are read again.
  std::optional<steady_clock::time_point> refused_until;
};

Certificates::Certificates(const config::Settings& settings, telemetry::TlsMetrics& metrics)
    : metrics_(metrics) {
  for (std::size_t i = 0; i < settings.listen.size(); ++i) {
    data_.push_back(listen(TlsPort::data, cli::tls_place(settings, i), settings.listen[i].tls));
  }
  if (settings.admin) admin_ = listen(TlsPort::admin, "admin.listen.tls", settings.admin->tls);
  if (settings.telemetry) {
    telemetry_ = listen(TlsPort::telemetry, "telemetry.listen.tls", settings.telemetry->tls);
  }
  if (settings.envoy) envoy_ = listen(TlsPort::envoy, "envoy.listen.tls", settings.envoy->tls);
  prepare_upstream(settings);
  adopt_upstream();
  tell_ends();
}

Certificates::~Certificates() = default;

std::shared_ptr<tls::ServerPort> Certificates::listen(
    TlsPort port, std::string place, const std::optional<tls::ServerOptions>& tls) {
  if (!tls) return nullptr;
  listeners_.push_back(std::make_unique<Listener>(port, std::move(place), *tls, tickets_));
  metrics_.speaks(port);
  return listeners_.back()->current;
}

bool Certificates::identify_clients() const {
  return std::ranges::any_of(data_, [](const std::shared_ptr<tls::ServerPort>& port) {
    return port && port->context()->asks_for_certificates();
  });
}

std::shared_ptr<const tls::ServerPort> Certificates::data(std::size_t listener) const {
  return data_[listener];
}

std::shared_ptr<const tls::ClientPort> Certificates::upstream() const {
  const std::lock_guard lock(mutex_);
  return upstream_ ? upstream_->current : nullptr;
}

std::shared_ptr<const tls::ClientPort> Certificates::prepare_upstream(
    const config::Settings& settings) {
  const std::lock_guard lock(mutex_);
  next_upstream_.reset();
  if (!settings.upstream.tls) return nullptr;
  const tls::ClientOptions options = *settings.upstream.tls;
  const bool same = upstream_ && upstream_->options == options;
  next_upstream_ =
      same ? upstream_
           : std::make_shared<Upstream>(TlsPort::upstream, "upstream.tls", options, tickets_);
  return next_upstream_->current;
}

void Certificates::adopt_upstream() {
  const std::lock_guard lock(mutex_);
  upstream_ = next_upstream_;
  if (upstream_) metrics_.speaks(TlsPort::upstream);
}

std::shared_ptr<const tls::ClientPort> Certificates::listener_port(
    const std::string& place, const tls::ClientOptions& options) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<Upstream> found;
  std::erase_if(peers_, [](const std::weak_ptr<Upstream>& peer) { return peer.expired(); });
  for (const std::weak_ptr<Upstream>& each : peers_) {
    const std::shared_ptr<Upstream> peer = each.lock();
    if (peer && peer->options == options) found = peer;
  }
  if (!found) {
    found = std::make_shared<Upstream>(TlsPort::delivery, place, options, tickets_);
    peers_.push_back(found);
    metrics_.speaks(TlsPort::delivery);
  }
  // Who has the port keeps what looks after it.
  return {found, found->current.get()};
}

template <typename Entry>
void Certificates::look_at(Entry& entry) {
  if (const std::optional<bool> loaded = entry.look()) metrics_.reloaded(entry.port, *loaded);
}

void Certificates::look() {
  const std::lock_guard lock(mutex_);
  for (const auto& listener : listeners_) look_at(*listener);
  if (upstream_) look_at(*upstream_);
  for (const std::weak_ptr<Upstream>& each : peers_) {
    if (const std::shared_ptr<Upstream> peer = each.lock()) look_at(*peer);
  }
  tell_ends();
}

/// Of several listeners with one name, the first end counts.
void Certificates::tell_ends() {
  for (const TlsPort port : {TlsPort::data, TlsPort::admin, TlsPort::telemetry, TlsPort::envoy}) {
    std::optional<Time> first;
    for (const auto& listener : listeners_) {
      if (listener->port != port) continue;
      first = std::min(first.value_or(Time::max()), listener->expires());
    }
    if (first) metrics_.certificate(port, *first);
  }
  metrics_.certificate(TlsPort::upstream, upstream_ ? upstream_->expires() : Time{});
  Time first{};
  for (const std::weak_ptr<Upstream>& each : peers_) {
    const std::shared_ptr<Upstream> peer = each.lock();
    if (!peer || peer->options.certificate.empty()) continue;
    first = first == Time{} ? peer->expires() : std::min(first, peer->expires());
  }
  metrics_.certificate(TlsPort::delivery, first);
}

}  // namespace onceproxy
