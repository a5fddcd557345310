#include "proxy/tls/credentials.hpp"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <optional>

#include "proxy/tls/chain.hpp"
#include "proxy/tls/pem.hpp"

namespace onceproxy::tls {
namespace {

using Gravity = Fault::Gravity;
using Kind = Fault::Kind;
using std::chrono::system_clock;

std::string digest_of(const std::string& text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr) != 1) return {};
  return {reinterpret_cast<const char*>(digest), size};
}

class Reader {
 public:
  /// `purpose`: of the own certificate, as OpenSSL numbers it.
  Reader(system_clock::time_point now, int purpose) : now_(now), purpose_(purpose) {}

  void read_own(const std::string& certificate, const std::string& key) {
    certificate_ = certificate;
    const auto chain_text = text_of_file("certificate", certificate);
    if (chain_text) {
      auto chain = certificates_in(*chain_text);
      if (chain) {
        out_.chain = *std::move(chain);
      } else {
        fault("certificate", certificate, chain.error());
      }
    }
    const auto key_text = text_of_file("key", key);
    if (key_text) {
      auto found = key_in(*key_text);
      if (found) {
        out_.key = *std::move(found);
      } else {
        fault("key", key, found.error());
      }
    }
    if (out_.chain.empty()) return;
    if (out_.key) check_fit(key);
    check_chain();
    check_purpose();
  }

  void read_trusted(const char* option, const std::string& path) {
    const auto text = text_of_file(option, path);
    if (!text) return;
    auto found = certificates_in(*text);
    if (!found) {
      fault(option, path, found.error());
      return;
    }
    out_.trusted = *std::move(found);
    // A bundle may hold old ones; it is of no use when all of them are.
    const bool all_over = std::ranges::all_of(
        out_.trusted, [&](const Certificate& each) { return not_after(*each) < now_; });
    if (all_over) {
      fault(option, path, "holds only certificates that are expired", Gravity::bad, Kind::expired);
    }
  }

  Credentials take() {
    out_.digest = digest_of(texts_);
    OPENSSL_cleanse(texts_.data(), texts_.size());
    return std::move(out_);
  }

 private:
  void fault(const char* option, const std::string& path, const std::string& what,
             Gravity gravity = Gravity::unusable, Kind kind = Kind::other) {
    out_.faults.push_back({gravity, kind, option, path + " " + what});
  }

  std::optional<std::string> text_of_file(const char* option, const std::string& path) {
    auto text = read_file(path);
    if (!text) {
      fault(option, path, text.error());
      return std::nullopt;
    }
    texts_ += std::to_string(text->size()) + " " + *text;
    return *std::move(text);
  }

  void check_fit(const std::string& key) {
    for (std::size_t i = 0; i < out_.chain.size(); ++i) {
      const bool fits = X509_check_private_key(out_.chain[i].get(), out_.key.get()) == 1;
      ERR_clear_error();
      if (!fits) continue;
      if (i == 0) return;
      fault("certificate", certificate_,
            "is in the wrong order: the key fits certificate " + std::to_string(i + 1) +
                "; the own certificate comes first, behind it those that lead to its root");
      return;
    }
    fault("key", key, "does not fit the certificate in " + certificate_);
  }

  void check_chain() {
    out_.expires = not_after(*out_.chain[0]);
    for (std::size_t i = 0; i < out_.chain.size(); ++i) {
      const X509& each = *out_.chain[i];
      out_.expires = std::min(out_.expires, not_after(each));
      const std::string which = i == 0 ? "" : ": certificate " + std::to_string(i + 1) + " of it";
      if (not_after(each) < now_) {
        fault("certificate", certificate_,
              (i == 0 ? "expired on " : "is of no use" + which + " expired on ") +
                  text_of(not_after(each)),
              Gravity::bad, Kind::expired);
      } else if (now_ < not_before(each)) {
        fault("certificate", certificate_,
              (i == 0 ? "is not valid before " : "is of no use" + which + " is not valid before ") +
                  text_of(not_before(each)),
              Gravity::bad, Kind::not_yet_valid);
      }
    }
    if (const auto broken = broken_chain(out_.chain)) {
      fault("certificate", certificate_, *broken, Gravity::bad, Kind::chain);
    } else if (const auto missing = missing_issuer(*out_.chain.back())) {
      fault("certificate", certificate_, missing->message,
            missing->certain ? Gravity::bad : Gravity::note, Kind::missing_issuer);
    }
  }

  void check_purpose() {
    const bool serves = X509_check_purpose(out_.chain[0].get(), purpose_, 0) == 1;
    ERR_clear_error();
    if (serves) return;
    const std::string side = purpose_ == X509_PURPOSE_SSL_SERVER ? "servers" : "clients";
    fault("certificate", certificate_,
          "is not for TLS " + side + ", by its extensions keyUsage and extendedKeyUsage",
          Gravity::bad, Kind::purpose);
  }

  const system_clock::time_point now_;
  const int purpose_;
  std::string certificate_;
  /// One behind the other, each with its size.
  std::string texts_;
  Credentials out_;
};

}  // namespace

bool Credentials::good() const {
  return std::ranges::all_of(faults, [](const Fault& f) { return f.gravity == Gravity::note; });
}

bool Credentials::usable() const {
  return std::ranges::none_of(faults,
                              [](const Fault& f) { return f.gravity == Gravity::unusable; });
}

std::string Credentials::complaint(std::span<const Fault> known) const {
  std::string out;
  for (const Fault& fault : faults) {
    if (fault.gravity == Gravity::note) continue;
    const bool is_known = std::ranges::any_of(known, [&](const Fault& other) {
      return other.kind == fault.kind && other.key == fault.key;
    });
    if (is_known && fault.gravity != Gravity::unusable) continue;
    out += (out.empty() ? "" : "; ") + fault.key + ": " + fault.message;
  }
  return out;
}

Credentials read_credentials(const ServerOptions& options, system_clock::time_point now) {
  Reader reader(now, X509_PURPOSE_SSL_SERVER);
  reader.read_own(options.certificate, options.key);
  if (!options.client_ca.empty()) reader.read_trusted("client_ca", options.client_ca);
  return reader.take();
}

Credentials read_credentials(const ClientOptions& options, system_clock::time_point now) {
  Reader reader(now, X509_PURPOSE_SSL_CLIENT);
  if (options.ca != system_ca) reader.read_trusted("ca", options.ca);
  if (!options.certificate.empty()) reader.read_own(options.certificate, options.key);
  return reader.take();
}

}  // namespace onceproxy::tls
