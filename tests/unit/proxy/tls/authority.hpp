// Certificates for tests: an authority that issues them, and files to put them in.
#pragma once

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "proxy/tls/handles.hpp"

namespace onceproxy::tls::testing {

using namespace std::chrono_literals;

/// Ends in a year that the system's clock cannot count.
constexpr std::chrono::seconds thousands_of_years = 24h * 365 * 7'000;

inline Key make_key() {
  return Key(EVP_EC_gen("P-256"));
}

inline std::string pem_of(const X509& certificate) {
  const Bio out(BIO_new(BIO_s_mem()));
  PEM_write_bio_X509(out.get(), const_cast<X509*>(&certificate));
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

inline std::string pem_of(const EVP_PKEY& key, const char* password = nullptr) {
  const Bio out(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(out.get(), const_cast<EVP_PKEY*>(&key),
                           password != nullptr ? EVP_aes_128_cbc() : nullptr, nullptr, 0, nullptr,
                           const_cast<char*>(password));
  char* text = nullptr;
  const long size = BIO_get_mem_data(out.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

struct Terms {
  std::string name = "localhost";
  /// As OpenSSL's configuration writes it: "DNS:localhost,URI:spiffe://a/b".
  std::string names = {};
  std::string access = {};
  /// What the key may be used for: "serverAuth".
  std::string usage = {};
  bool authority = false;
  std::chrono::seconds begins{-1h};
  std::chrono::seconds ends{24h};
};

/// A certificate with its key, and what issued it.
struct Issued {
  Certificate certificate;
  Key key;

  /// Its own root where `issuer` is null.
  static Issued make(const Terms& terms, const Issued* issuer = nullptr) {
    Issued out{Certificate(X509_new()), make_key()};
    X509* const made = out.certificate.get();
    static long serial = 1;
    X509_set_version(made, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(made), serial++);
    X509_gmtime_adj(X509_getm_notBefore(made), terms.begins.count());
    X509_gmtime_adj(X509_getm_notAfter(made), terms.ends.count());
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(terms.name.c_str()), -1, -1,
                               0);
    X509* const above = issuer != nullptr ? issuer->certificate.get() : made;
    X509_set_issuer_name(made, X509_get_subject_name(above));
    X509_set_pubkey(made, out.key.get());
    const auto extend = [&](int id, const std::string& value) {
      X509V3_CTX context;
      X509V3_set_ctx(&context, above, made, nullptr, nullptr, 0);
      X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str());
      X509_add_ext(made, extension, -1);
      X509_EXTENSION_free(extension);
    };
    if (terms.authority) extend(NID_basic_constraints, "critical,CA:TRUE");
    if (!terms.names.empty()) extend(NID_subject_alt_name, terms.names);
    if (!terms.access.empty()) extend(NID_info_access, terms.access);
    if (!terms.usage.empty()) extend(NID_ext_key_usage, terms.usage);
    X509_sign(made, issuer != nullptr ? issuer->key.get() : out.key.get(), EVP_sha256());
    return out;
  }

  std::string pem() const { return pem_of(*certificate); }
  std::string key_pem() const { return pem_of(*key); }
};

/// A directory that goes with its test.
class Directory {
 public:
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "tls-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name) << text;
    return (path_ / name).string();
  }
  std::string path(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace onceproxy::tls::testing
