#include "proxy/tls/failure.hpp"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

namespace onceproxy::tls {
namespace {

/// OpenSSL's reasons from here on are alerts that the peer sent (RFC 8446, section 6.2).
constexpr int first_alert = SSL_AD_REASON_OFFSET;

std::string_view reason_of(int code) {
  switch (code) {
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_BAD_PACKET_LENGTH:
    case SSL_R_RECORD_LENGTH_MISMATCH:
      return "not-tls";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_UNKNOWN_PROTOCOL:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
      return "version";
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
      return "cipher";
    case SSL_R_NO_APPLICATION_PROTOCOL:
      return "protocol";
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
      return "no-certificate";
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
      return "bad-certificate";
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
      return "closed";
    default:
      return code > first_alert ? "refused" : "other";
  }
}

}  // namespace

Failure failure_of(const SSL* ssl) {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  return failure_of(ssl, code);
}

Failure failure_of(const SSL* ssl, unsigned long code) {
  if (code == 0 || ERR_GET_LIB(code) != ERR_LIB_SSL) {
    return {"closed", "the peer closed the connection"};
  }
  const char* const words = ERR_reason_error_string(code);
  Failure failure{reason_of(ERR_GET_REASON(code)), words != nullptr ? words : "unknown error"};
  if (failure.reason == "bad-certificate") {
    failure.message += ": ";
    failure.message += X509_verify_cert_error_string(SSL_get_verify_result(ssl));
  } else if (failure.reason == "closed") {
    failure.message = "the peer closed the connection";
  }
  return failure;
}

}  // namespace onceproxy::tls
