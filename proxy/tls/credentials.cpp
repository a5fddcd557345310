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

/// Finds what is wrong with certificates at a time.
class Judge {
 public:
  Judge(std::vector<Fault>& faults, system_clock::time_point now) : faults_(faults), now_(now) {}

  /// `purpose`: of the own certificate, as OpenSSL numbers it.
  void own(const std::string& path, const std::vector<Certificate>& chain, int purpose) {
    path_ = &path;
    for (std::size_t i = 0; i < chain.size(); ++i) check_times(*chain[i], i);
    check_chain(chain);
    check_purpose(*chain[0], purpose);
  }

  void trusted(const char* option, const std::string& path,
               const std::vector<Certificate>& trusted) {
    // A bundle may hold old ones; it is of no use when all of them are.
    const bool all_over = std::ranges::all_of(
        trusted, [&](const Certificate& each) { return not_after(*each) < now_; });
    if (!all_over) return;
    faults_.push_back(
        {Gravity::bad, Kind::expired, option, path + " holds only certificates that are expired"});
  }

 private:
  void fault(Kind kind, std::size_t place, const std::string& what,
             Gravity gravity = Gravity::bad) {
    faults_.push_back({gravity, kind, "certificate", *path_ + " " + what, place});
  }

  void check_times(const X509& each, std::size_t place) {
    const std::string which =
        place == 0 ? "" : "is of no use: certificate " + std::to_string(place + 1) + " of it ";
    if (not_after(each) < now_) {
      fault(Kind::expired, place, which + "expired on " + text_of(not_after(each)));
    } else if (now_ < not_before(each)) {
      fault(Kind::not_yet_valid, place, which + "is not valid before " + text_of(not_before(each)));
    }
  }

  void check_chain(const std::vector<Certificate>& chain) {
    if (const auto broken = broken_chain(chain)) {
      fault(broken->wrong_order ? Kind::order : Kind::chain, broken->place, broken->message);
    } else if (const auto missing = missing_issuer(*chain.back())) {
      fault(Kind::missing_issuer, chain.size(), missing->message,
            missing->certain ? Gravity::bad : Gravity::note);
    }
  }

  void check_purpose(X509& own, int purpose) {
    const bool serves = X509_check_purpose(&own, purpose, 0) == 1;
    ERR_clear_error();
    if (serves) return;
    const std::string side = purpose == X509_PURPOSE_SSL_SERVER ? "servers" : "clients";
    fault(Kind::purpose, 0,
          "is not for TLS " + side + ", by its extensions keyUsage and extendedKeyUsage");
  }

  std::vector<Fault>& faults_;
  const system_clock::time_point now_;
  const std::string* path_ = nullptr;
};

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
    out_.expires = not_after(*out_.chain[0]);
    for (const Certificate& each : out_.chain) {
      out_.expires = std::min(out_.expires, not_after(*each));
    }
    Judge(out_.faults, now_).own(certificate, out_.chain, purpose_);
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
    Judge(out_.faults, now_).trusted(option, path, out_.trusted);
  }

  Credentials take() {
    out_.digest = digest_of(texts_);
    OPENSSL_cleanse(texts_.data(), texts_.size());
    return std::move(out_);
  }

 private:
  void fault(const char* option, const std::string& path, const std::string& what) {
    out_.faults.push_back({Gravity::unusable, Kind::other, option, path + " " + what});
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
      return other.gravity != Gravity::note && other.kind == fault.kind && other.key == fault.key &&
             other.place <= fault.place;
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

std::vector<Fault> faults_at(const ServerOptions& options, const Credentials& read,
                             system_clock::time_point now) {
  std::vector<Fault> out;
  Judge judge(out, now);
  judge.own(options.certificate, read.chain, X509_PURPOSE_SSL_SERVER);
  if (!read.trusted.empty()) judge.trusted("client_ca", options.client_ca, read.trusted);
  return out;
}

std::vector<Fault> faults_at(const ClientOptions& options, const Credentials& read,
                             system_clock::time_point now) {
  std::vector<Fault> out;
  Judge judge(out, now);
  if (!read.trusted.empty()) judge.trusted("ca", options.ca, read.trusted);
  if (!read.chain.empty()) judge.own(options.certificate, read.chain, X509_PURPOSE_SSL_CLIENT);
  return out;
}

}  // namespace onceproxy::tls
