// Credentials: what a side of TLS shows and trusts, read from its files, and everything that is
// wrong with them, in words for an operator. Reads files; makes no connection. Thread-safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "proxy/tls/handles.hpp"
#include "proxy/tls/options.hpp"

namespace onceproxy::tls {

struct Fault {
  enum class Gravity {
    unusable,  ///< no handshake can be made with it
    bad,       ///< peers will refuse it: it is expired, its chain is broken
    note,      ///< it may be meant
  } gravity = Gravity::unusable;
  /// What it is about, if it is not `unusable`.
  enum class Kind {
    other,
    expired,
    not_yet_valid,
    chain,           ///< the certificates do not lead from one to the next
    order,           ///< they would in another order
    missing_issuer,  ///< the chain ends too early
    purpose,         ///< the certificate is meant for the other side
  } kind = Kind::other;
  /// The option that names the file: "certificate", "key", "client_ca", "ca".
  std::string key;
  /// A whole sentence, with the file's name.
  std::string message;
  /// Which certificate of the own chain is meant, from 0; a missing one would come behind the last.
  std::size_t place = 0;
};

struct Credentials {
  /// The own certificate first; empty if there is none.
  std::vector<Certificate> chain;
  Key key;
  /// The trusted authorities; empty if peers are not asked for certificates, or the system's
  /// store is trusted.
  std::vector<Certificate> trusted;
  /// The first of the chain's ends.
  std::chrono::system_clock::time_point expires{};
  /// At the time of reading.
  std::vector<Fault> faults;
  /// Of what the files say: the same for the same.
  std::string digest;

  /// No fault but notes: may take the place of others that are good.
  bool good() const;
  /// A handshake can be made with it.
  bool usable() const;
  /// The faults that are not notes, in one line; empty if there is none. A fault is left out if
  /// `known` has one, no note, of the same kind and in the file of the same option, at the same
  /// place of the chain or nearer to the own certificate: peers who need that place refuse both.
  /// What is `unusable` is never left out.
  std::string complaint(std::span<const Fault> known = {}) const;
};

Credentials read_credentials(const ServerOptions& options,
                             std::chrono::system_clock::time_point now);
Credentials read_credentials(const ClientOptions& options,
                             std::chrono::system_clock::time_point now);

/// The faults that certificates which were read without an `unusable` one have at another time. The
/// files are not read again.
std::vector<Fault> faults_at(const ServerOptions& options, const Credentials& read,
                             std::chrono::system_clock::time_point now);
std::vector<Fault> faults_at(const ClientOptions& options, const Credentials& read,
                             std::chrono::system_clock::time_point now);

}  // namespace onceproxy::tls
