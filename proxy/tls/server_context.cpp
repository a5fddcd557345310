#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <array>
#include <string_view>

#include "proxy/tls/common_context.hpp"
#include "proxy/tls/context.hpp"

namespace onceproxy::tls {
namespace {

/// How long a session may be resumed: no longer than the keys of its ticket are kept. A client's
/// certificate is not looked at again meanwhile.
constexpr long resumable_seconds = 3'600;

constexpr std::string_view http1_protocols = "\x08http/1.1\x08http/1.0";
constexpr std::string_view http2_protocols = "\x02h2";

/// RFC 7301: takes the first of ours that the client offers.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size,
                    const unsigned char* offered, unsigned offered_size, void* ours) {
  const std::string_view wanted = *static_cast<const std::string_view*>(ours);
  unsigned char* chosen = nullptr;
  const int result = SSL_select_next_proto(
      &chosen, out_size, reinterpret_cast<const unsigned char*>(wanted.data()),
      static_cast<unsigned>(wanted.size()), offered, offered_size);
  if (result != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

/// A session may be resumed only if the same question was asked about the client: not past a
/// change of who is trusted. The name of that question is a digest of what it is.
bool name_sessions(SSL_CTX* context, const ServerOptions& options, const Credentials& credentials) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned size = 0;
  EVP_MD_CTX* const hash = EVP_MD_CTX_new();
  bool good = hash != nullptr && EVP_DigestInit_ex(hash, EVP_sha256(), nullptr) == 1;
  const char mode = options.client_ca.empty()             ? 'n'
                    : options.client_certificate_required ? 'r'
                                                          : 'o';
  good = good && EVP_DigestUpdate(hash, &mode, 1) == 1;
  for (const Certificate& each : credentials.trusted) {
    std::array<unsigned char, EVP_MAX_MD_SIZE> one;
    good = good && X509_digest(each.get(), EVP_sha256(), one.data(), &size) == 1 &&
           EVP_DigestUpdate(hash, one.data(), size) == 1;
  }
  good = good && EVP_DigestFinal_ex(hash, digest.data(), &size) == 1;
  EVP_MD_CTX_free(hash);
  return good && SSL_CTX_set_session_id_context(context, digest.data(), size) == 1;
}

bool ask_for_certificates(SSL_CTX* context, const ServerOptions& options,
                          const Credentials& credentials) {
  int mode = SSL_VERIFY_PEER;
  if (options.client_certificate_required) mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  SSL_CTX_set_verify(context, mode, nullptr);
  if (!trust(context, credentials)) return false;
  for (const Certificate& each : credentials.trusted) {
    if (SSL_CTX_add_client_CA(context, each.get()) != 1) return false;
  }
  return true;
}

}  // namespace

tl::expected<std::shared_ptr<const ServerContext>, std::string> ServerContext::make(
    const ServerOptions& options, const Credentials& credentials, TicketKeys& tickets,
    Protocols protocols) {
  ERR_clear_error();
  if (!credentials.usable()) return tl::unexpected(credentials.complaint());
  Context context = common_context(TLS_server_method());
  SSL_CTX* const native = context.get();
  if (native == nullptr || !use_own(native, credentials)) {
    return tl::unexpected(options.certificate + " cannot be used: " + last_error());
  }
  if (options.version_min == Version::tls_1_3) {
    SSL_CTX_set_min_proto_version(native, TLS1_3_VERSION);
  }
  const bool asks = !options.client_ca.empty();
  if ((asks && !ask_for_certificates(native, options, credentials)) ||
      !name_sessions(native, options, credentials)) {
    return tl::unexpected(options.client_ca + " cannot be used: " + last_error());
  }
  SSL_CTX_set_alpn_select_cb(
      native, choose_protocol,
      const_cast<std::string_view*>(protocols == Protocols::http2 ? &http2_protocols
                                                                  : &http1_protocols));
  // Sessions are in the clients' tickets alone.
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_timeout(native, resumable_seconds);
  SSL_CTX_set_num_tickets(native, 1);
  tickets.serve(native);
  return std::shared_ptr<const ServerContext>(new ServerContext(std::move(context), asks));
}

Connection ServerContext::accept() const {
  Connection connection(SSL_new(context_.get()));
  if (connection) SSL_set_accept_state(connection.get());
  return connection;
}

}  // namespace onceproxy::tls
