#include "proxy/tls/peer.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <boost/algorithm/hex.hpp>
#include <string_view>

#include "proxy/tls/handles.hpp"

namespace onceproxy::tls {
namespace {

struct Names {
  std::vector<std::string> uris;
  std::vector<std::string> hosts;
};

/// The type says IA5String; a certificate may hold any byte in it. What could end a header field or
/// a quoted value, or be read as another name, counts as no name at all. No URI (RFC 3986) and no
/// host name has these characters.
bool is_clean(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return c > ' ' && c <= '~' && c != '"' && c != '\\';
  });
}

void add(std::vector<std::string>& out, const ASN1_IA5STRING* value) {
  const auto* const data = reinterpret_cast<const char*>(ASN1_STRING_get0_data(value));
  const std::string_view text(data, static_cast<std::size_t>(ASN1_STRING_length(value)));
  if (is_clean(text)) out.emplace_back(text);
}

Names names_of(const X509* certificate) {
  Names out;
  auto* const names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names, i);
    if (name->type == GEN_URI) add(out.uris, name->d.uniformResourceIdentifier);
    if (name->type == GEN_DNS) add(out.hosts, name->d.dNSName);
  }
  GENERAL_NAMES_free(names);
  ERR_clear_error();
  return out;
}

std::string sha256_of(const X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) != 1) return {};
  std::string out(2 * std::size_t{size}, '\0');
  boost::algorithm::hex_lower(digest.begin(), digest.begin() + size, out.data());
  return out;
}

/// Envoy: a value with a comma, a semicolon or an equals sign is quoted. It has no quotes of its
/// own; see is_clean().
std::string value_of(const std::string& value) {
  return value.find_first_of(",;=") == std::string::npos ? value : '"' + value + '"';
}

std::string forwarded_text(const Peer& peer, const Names& own) {
  std::string out;
  for (const std::string& uri : own.uris) out += "By=" + value_of(uri) + ";";
  // The subject's own quotes are escaped already (RFC 4514, section 2.4).
  out += "Hash=" + peer.sha256 + ";Subject=\"" + peer.subject +
         "\";URI=" + (peer.uris.empty() ? "" : value_of(peer.uris.front()));
  for (const std::string& host : peer.hosts) out += ";DNS=" + value_of(host);
  return out;
}

}  // namespace

Peer identity_of(const X509& certificate) {
  Names names = names_of(&certificate);
  return {std::move(names.uris),
          std::move(names.hosts),
          text_of(X509_get_subject_name(&certificate)),
          sha256_of(&certificate),
          {}};
}

std::unique_ptr<Peer> peer_of(const SSL* ssl) {
  const X509* const certificate = SSL_get0_peer_certificate(ssl);
  if (certificate == nullptr) return nullptr;
  auto peer = std::make_unique<Peer>(identity_of(*certificate));
  const X509* const own = SSL_get_certificate(ssl);
  peer->forwarded = forwarded_text(*peer, own != nullptr ? names_of(own) : Names());
  return peer;
}

}  // namespace onceproxy::tls
