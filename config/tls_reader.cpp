#include "config/tls_reader.hpp"

#include <algorithm>

#include "config/scalars.hpp"

namespace onceproxy::config {
namespace {

std::optional<std::string> wrong_file(std::string_view path) {
  if (!path.empty()) return std::nullopt;
  return "is empty; it is the path of a file";
}

std::optional<std::string> wrong_name(std::string_view name) {
  // With a port behind it, whatever may be a host is read as one.
  const bool ipv6 = name.find(':') != std::string_view::npos;
  const std::string host = ipv6 ? "[" + std::string(name) + "]" : std::string(name);
  if (parse_address(host + ":1")) return std::nullopt;
  return "is neither a host name nor an IP address";
}

Kind<tls::Version> version() {
  return word<tls::Version>({{"1.2", tls::Version::tls_1_2}, {"1.3", tls::Version::tls_1_3}});
}

Kind<tls::ServerOptions> listener_tls() {
  using T = tls::ServerOptions;
  return section<T>(
      {"tls",
       {key<T>("certificate", &T::certificate, file_path(),
               "A file in PEM form: the server's certificate, followed by the chain to its root. "
               "This file and the others are read again when they change.",
               Need::required),
        key<T>("key", &T::key, file_path(),
               "A file in PEM form: the certificate's private key, "
               "without a password.",
               Need::required),
        key<T>("client_ca", &T::client_ca, file_path(),
               "A file in PEM form with the authorities that issue client certificates. If this "
               "key is absent, clients are not asked for certificates."),
        key<T>(
            "client_certificate", &T::client_certificate_required,
            word<bool>({{"required", true}, {"optional", false}}),
            "With client_ca. required: a client without a certificate is refused. optional: a "
            "client without a certificate is accepted, one with an invalid certificate refused."),
        key<T>("min_version", &T::version_min, version(),
               "The oldest version of TLS that is accepted: \"1.2\" or \"1.3\".")}},
      [](const Node& node, T& value) {
        const auto mode = node.get("client_certificate");
        if (!mode || !value.client_ca.empty() || node.get("client_ca")) return;
        mode->problem(
            "has no effect without client_ca, the file with the authorities that issue client "
            "certificates");
      });
}

struct AddressWithTls {
  Endpoint address;
  std::optional<tls::ServerOptions> tls;
};

bool asks_for_certificates(const Node& listen) {
  const auto tls = listen.get("tls");
  return tls && tls->get("client_ca");
}

bool any_asks(const Node& document) {
  const auto listen = document.get("listen");
  if (!listen) return false;
  const std::vector<Node> several = listen->items();
  return asks_for_certificates(*listen) || std::ranges::any_of(several, asks_for_certificates);
}

void refuse_certificate_selectors(const Node& node) {
  for (const Node& item : node.items()) refuse_certificate_selectors(item);
  for (const Node::Entry& entry : node.entries()) {
    if (entry.key == "client_certificate") {
      entry.key_problem(
          "no listener asks clients for certificates, so this is always missing; give "
          "listen.tls.client_ca");
    } else if (entry.key != "headers") {
      refuse_certificate_selectors(entry.value);
    }
  }
}

}  // namespace

void check_certificate_selectors(const Node& document) {
  const auto policies = document.get("policies");
  if (policies && !any_asks(document)) refuse_certificate_selectors(*policies);
}

Kind<std::string> file_path() {
  return text("a file's path", wrong_file);
}

Kind<ListenSettings> listen_address() {
  using A = AddressWithTls;
  const Kind<Endpoint> plain = address(PortZero::allowed);
  const Kind<A> map = section<A>(
      {"an address with tls",
       {key<A>("address", &A::address, plain, "Where to listen.", Need::required),
        key<A>("tls", &A::tls, listener_tls(),
               "TLS on this port. If this key is absent, the port speaks plain HTTP.")}});
  Kind<ListenSettings> kind;
  kind.names = map.names;
  kind.read = [plain, map](const Node& node) -> std::optional<ListenSettings> {
    ListenSettings out;
    if (!node.is_map()) {
      const auto value = plain.read(node);
      if (!value) return std::nullopt;
      static_cast<Endpoint&>(out) = *value;
      return out;
    }
    auto value = map.read(node);
    // An address that could not be read has been reported.
    if (!value || value->address == Endpoint{}) return std::nullopt;
    static_cast<Endpoint&>(out) = std::move(value->address);
    out.tls = std::move(value->tls);
    return out;
  };
  kind.schema = [plain, map] {
    return JsonObject({{"anyOf", JsonArray({plain.schema(), map.schema()})}});
  };
  return kind;
}

Kind<tls::ClientOptions> client_tls(const PeerWords& peer) {
  using T = tls::ClientOptions;
  return section<T>(
      {peer.place,
       {key<T>("ca", &T::ca, file_path(),
               "The authorities that are trusted to issue " + peer.name +
                   "'s certificate: a file in PEM form, or system for those that the operating "
                   "system trusts."),
        key<T>("server_name", &T::server_name, text("a host name", wrong_name),
               "The host name or IP address that " + peer.name +
                   "'s certificate must contain. Default: " + peer.host + "."),
        key<T>("certificate", &T::certificate, file_path(),
               "A file in PEM form: the certificate that onceproxy presents when " + peer.name +
                   " asks for one. Requires key."),
        key<T>("key", &T::key, file_path(),
               "A file in PEM form: the certificate's private key, "
               "without a password.")}},
      [](const Node& node, T&) {
        const bool certificate = node.get("certificate").has_value();
        if (certificate == node.get("key").has_value()) return;
        node.problem(certificate ? "`certificate` needs its `key`"
                                 : "`key` needs its `certificate`");
      });
}

Kind<tls::ClientOptions> upstream_tls() {
  return client_tls({"upstream.tls", "the upstream", "the host of upstream.address"});
}

void complete_upstream_tls(const Node& upstream, UpstreamSettings& settings) {
  if (!settings.tls || !settings.tls->server_name.empty()) return;
  settings.tls->server_name = settings.address.host;
  const auto tls = upstream.get("tls");
  if (!settings.address.unix_path.empty() && tls && !tls->get("server_name")) {
    tls->problem(
        "`server_name` is missing: a unix socket has no name that a certificate could be for");
  }
}

}  // namespace onceproxy::config
