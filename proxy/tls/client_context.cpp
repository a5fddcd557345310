#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "proxy/tls/common_context.hpp"
#include "proxy/tls/context.hpp"

namespace onceproxy::tls {
namespace {

constexpr unsigned char offered[] = "\x08http/1.1";

int context_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

bool is_address(const std::string& name) {
  in6_addr parsed{};
  return ::inet_pton(AF_INET, name.c_str(), &parsed) == 1 ||
         ::inet_pton(AF_INET6, name.c_str(), &parsed) == 1;
}

/// RFC 9110, section 4.3.4; RFC 6125, section 6.4.3 for wildcards.
bool check_name(SSL_CTX* context, const std::string& name) {
  X509_VERIFY_PARAM* const wanted = SSL_CTX_get0_param(context);
  if (is_address(name)) return X509_VERIFY_PARAM_set1_ip_asc(wanted, name.c_str()) == 1;
  X509_VERIFY_PARAM_set_hostflags(wanted, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return X509_VERIFY_PARAM_set1_host(wanted, name.c_str(), name.size()) == 1;
}

}  // namespace

int ClientContext::keep(SSL* ssl, SSL_SESSION* session) {
  auto* const self =
      static_cast<const ClientContext*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), context_index()));
  SessionState copy(SSL_SESSION_dup(session));
  const std::lock_guard lock(self->mutex_);
  self->session_ = std::move(copy);
  return 0;  // OpenSSL keeps its own
}

tl::expected<std::shared_ptr<const ClientContext>, std::string> ClientContext::make(
    const ClientOptions& options, const Credentials& credentials) {
  ERR_clear_error();
  if (!credentials.usable()) return tl::unexpected(credentials.complaint());
  Context context = common_context(TLS_client_method());
  SSL_CTX* const native = context.get();
  if (native == nullptr) return tl::unexpected(last_error());
  const bool trusting = options.ca == system_ca ? SSL_CTX_set_default_verify_paths(native) == 1
                                                : trust(native, credentials);
  if (!trusting) return tl::unexpected(options.ca + " cannot be used: " + last_error());
  if (!credentials.chain.empty() && !use_own(native, credentials)) {
    return tl::unexpected(options.certificate + " cannot be used: " + last_error());
  }
  SSL_CTX_set_verify(native, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_alpn_protos(native, offered, sizeof offered - 1);
  std::string name = options.server_name;
  if (name.ends_with('.')) name.pop_back();
  if (name.empty() || !check_name(native, name)) {
    return tl::unexpected("the server's name \"" + name + "\" cannot be checked");
  }
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
  std::shared_ptr<ClientContext> made(new ClientContext(std::move(context)));
  if (!is_address(name)) made->sent_name_ = name;
  SSL_CTX_set_ex_data(native, context_index(), made.get());
  SSL_CTX_sess_set_new_cb(native, keep);
  return made;
}

Connection ClientContext::connect() const {
  Connection connection(SSL_new(context_.get()));
  if (!connection) return nullptr;
  SSL_set_connect_state(connection.get());
  if (!sent_name_.empty()) SSL_set_tlsext_host_name(connection.get(), sent_name_.c_str());
  SessionState session;
  {
    const std::lock_guard lock(mutex_);
    if (session_) session.reset(SSL_SESSION_dup(session_.get()));
  }
  if (session) SSL_set_session(connection.get(), session.get());
  ERR_clear_error();
  return connection;
}

}  // namespace onceproxy::tls
