#include "config/address_checks.hpp"

#include "config/scalars.hpp"
#include "policies/request_view.hpp"

namespace onceproxy::config {
namespace {

struct Listener {
  Node node;
  Endpoint address;
};

bool is_ipv6(const Endpoint& address) {
  return address.host.find(':') != std::string::npos;
}

bool is_every_interface(const Endpoint& address) {
  return address.host == "0.0.0.0" || address.host == "::";
}

bool is_this_machine(const Endpoint& address) {
  return is_every_interface(address) || address.host.starts_with("127.") || address.host == "::1" ||
         policies::equals_ignoring_case(address.host, "localhost");
}

bool same_host(const Endpoint& a, const Endpoint& b) {
  return policies::equals_ignoring_case(a.host, b.host);
}

/// Whether the second could not be bound after the first.
bool collide(const Endpoint& a, const Endpoint& b) {
  if (!a.unix_path.empty() || !b.unix_path.empty()) return a.unix_path == b.unix_path;
  // Port 0 is a free one each time.
  if (a.port != b.port || a.port == 0) return false;
  const bool one_family = is_ipv6(a) == is_ipv6(b);
  return same_host(a, b) || (one_family && (is_every_interface(a) || is_every_interface(b)));
}

bool is_itself(const Endpoint& listener, const Endpoint& upstream) {
  if (!listener.unix_path.empty() || !upstream.unix_path.empty()) {
    return listener.unix_path == upstream.unix_path;
  }
  return listener.port == upstream.port && listener.port != 0 &&
         (same_host(listener, upstream) ||
          (is_this_machine(listener) && is_this_machine(upstream)));
}

/// Only users of this machine can reach it.
bool is_local(const Endpoint& address) {
  return !address.unix_path.empty() || (is_this_machine(address) && !is_every_interface(address));
}

/// The node that holds the address, which may stand in a map beside its TLS.
std::optional<Node> address_node(const std::optional<Node>& node) {
  return node && node->is_map() ? node->get("address") : node;
}

/// Clients that show no certificate are turned away.
bool requires_certificates(const Node& listen) {
  const auto tls = listen.get("tls");
  if (!tls || !tls->get("client_ca")) return false;
  const auto mode = tls->get("client_certificate");
  return !mode || mode->text() == "required";
}

/// The address of the section's port, if others can reach it and need no certificate.
std::optional<Node> open_to_others(const Node& section) {
  const auto listen = section.get("listen");
  const auto node = address_node(listen);
  if (!node || !node->is_scalar() || node->is_broken()) return std::nullopt;
  const auto address = parse_address(node->text());
  if (!address || is_local(*address) || requires_certificates(*listen)) return std::nullopt;
  return node;
}

void check_admin(const Node& admin) {
  if (admin.get("token_file") || admin.get("read_token_file")) return;
  const auto node = open_to_others(admin);
  if (!node) return;
  node->problem(
      "anyone who reaches this address has full control; listen on 127.0.0.1 or unix:/path, or "
      "give admin.token_file, a file with the bearer token that each request must bring, or let "
      "tls require client certificates");
}

void check_envoy(const Node& envoy) {
  const auto node = open_to_others(envoy);
  if (!node) return;
  node->problem(
      "anyone who reaches this address can complete operations that were never executed, and read "
      "stored answers; listen on 127.0.0.1 or unix:/path, or let tls require client certificates "
      "(client_ca)");
}

void add(std::vector<Listener>& listeners, const std::optional<Node>& found) {
  const auto node = address_node(found);
  if (!node || !node->is_scalar() || node->is_broken()) return;
  // An invalid address has been reported where it was read.
  if (auto address = parse_address(node->text())) {
    listeners.push_back({*node, *std::move(address)});
  }
}

}  // namespace

void check_addresses(const Node& node) {
  std::vector<Listener> listeners;
  if (const auto listen = node.get("listen")) {
    add(listeners, listen);
    for (const Node& item : listen->items()) add(listeners, item);
  }
  if (const auto admin = node.get("admin")) check_admin(*admin);
  if (const auto envoy = node.get("envoy")) check_envoy(*envoy);
  for (const char* section : {"admin", "telemetry", "envoy"}) {
    if (const auto map = node.get(section)) add(listeners, map->get("listen"));
  }
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (!collide(listeners[j].address, listeners[i].address)) continue;
      listeners[i].node.problem("the same address as " + listeners[j].node.path() +
                                "; give each listener its own");
      break;
    }
  }
  std::vector<Listener> upstream;
  if (const auto map = node.get("upstream")) add(upstream, map->get("address"));
  for (const Listener& listener : listeners) {
    if (upstream.empty() || !is_itself(listener.address, upstream[0].address)) continue;
    upstream[0].node.problem("onceproxy would forward to itself: it listens here (" +
                             listener.node.path() + ")");
    break;
  }
}

}  // namespace onceproxy::config
