#include "proxy/tls/chain.hpp"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <chrono>
#include <ctime>

#include "store/system_time.hpp"
#include "store/utc_text.hpp"

namespace onceproxy::tls {
namespace {

using std::chrono::system_clock;

system_clock::time_point point_of(const ASN1_TIME* time) {
  std::tm utc{};
  if (ASN1_TIME_to_tm(time, &utc) != 1) return {};
  return store::system_time_of(::timegm(&utc));
}

bool issued(const X509& issuer, const X509& subject) {
  // OpenSSL's functions take these as not const and do not change them.
  auto* const above = const_cast<X509*>(&issuer);
  auto* const below = const_cast<X509*>(&subject);
  const bool good = X509_check_issued(above, below) == X509_V_OK &&
                    X509_verify(below, X509_get0_pubkey(above)) == 1;
  ERR_clear_error();
  return good;
}

bool is_root(const X509& certificate) {
  return X509_NAME_cmp(X509_get_subject_name(&certificate), X509_get_issuer_name(&certificate)) ==
         0;
}

std::string issuer_of(const X509& certificate) {
  return "\"" + text_of(X509_get_issuer_name(&certificate)) + "\"";
}

bool names_its_issuers_place(const X509& certificate) {
  auto* const access = static_cast<AUTHORITY_INFO_ACCESS*>(
      X509_get_ext_d2i(&certificate, NID_info_access, nullptr, nullptr));
  if (access == nullptr) return false;
  bool found = false;
  for (int i = 0; i < sk_ACCESS_DESCRIPTION_num(access); ++i) {
    found =
        found || OBJ_obj2nid(sk_ACCESS_DESCRIPTION_value(access, i)->method) == NID_ad_ca_issuers;
  }
  AUTHORITY_INFO_ACCESS_free(access);
  return found;
}

bool system_knows_issuer_of(const X509& certificate) {
  const CertificateStore store(X509_STORE_new());
  X509_STORE_CTX* const context = X509_STORE_CTX_new();
  bool known = false;
  if (store && context != nullptr && X509_STORE_set_default_paths(store.get()) == 1 &&
      X509_STORE_CTX_init(context, store.get(), nullptr, nullptr) == 1) {
    X509* issuer = nullptr;
    known = X509_STORE_CTX_get1_issuer(&issuer, context, const_cast<X509*>(&certificate)) == 1;
    X509_free(issuer);
  }
  X509_STORE_CTX_free(context);
  ERR_clear_error();
  return known;
}

}  // namespace

system_clock::time_point not_before(const X509& certificate) {
  return point_of(X509_get0_notBefore(&certificate));
}

system_clock::time_point not_after(const X509& certificate) {
  return point_of(X509_get0_notAfter(&certificate));
}

std::string text_of(system_clock::time_point time) {
  return store::utc_text(std::chrono::floor<std::chrono::seconds>(time));
}

std::optional<BrokenChain> broken_chain(const std::vector<Certificate>& chain) {
  for (std::size_t i = 1; i < chain.size(); ++i) {
    if (issued(*chain[i], *chain[i - 1])) continue;
    for (std::size_t other = 0; other < chain.size(); ++other) {
      if (other == i || other == i - 1 || !issued(*chain[other], *chain[i - 1])) continue;
      return BrokenChain{"is in the wrong order: behind certificate " + std::to_string(i) +
                             " must come number " + std::to_string(other + 1) + ", which issued it",
                         i, true};
    }
    return BrokenChain{"holds an incomplete chain: behind certificate " + std::to_string(i) +
                           " must come the one that issued it, " + issuer_of(*chain[i - 1]),
                       i, false};
  }
  return std::nullopt;
}

std::optional<MissingIssuer> missing_issuer(const X509& last) {
  if (is_root(last) || system_knows_issuer_of(last)) return std::nullopt;
  if (names_its_issuers_place(last)) {
    return MissingIssuer{
        "holds an incomplete chain: the certificate of the issuer of its last one, " +
            issuer_of(last) + ", is missing",
        true};
  }
  return MissingIssuer{"ends with a certificate issued by " + issuer_of(last) +
                           "; that works where peers trust this issuer itself, and is an "
                           "incomplete chain where they only trust the one above it",
                       false};
}

}  // namespace onceproxy::tls
