// Permit: the proof of one reservation. It is move-only, only a Store creates it, and only its
// holder may complete, release or mark the reservation unknown; these functions of `Store` use it
// up. If it is destroyed unused, its owner is notified, which counts it and leaves the reservation
// to its lease, because a destructor does no I/O. Not thread-safe; it may be moved between threads.
#pragma once

#include <array>
#include <cstdint>
#include <utility>

#include "store/fingerprint.hpp"

namespace onceproxy::store {

/// 128 random bits that distinguish a reservation from all others of the same fingerprint.
using Nonce = std::array<std::uint8_t, 16>;

class Permit;

/// The creator of permits; outlives them.
class PermitOwner {
 public:
  /// Called by the destructor of an unused permit. It does no I/O and does not throw.
  virtual void dropped(const Permit& permit) noexcept = 0;

 protected:
  ~PermitOwner() = default;
};

class Permit {
 public:
  /// For stores. `fence` is larger than that of every earlier reservation in the store.
  Permit(PermitOwner& owner, const Fingerprint& fingerprint, const Nonce& nonce,
         std::uint64_t fence)
      : owner_(&owner), fingerprint_(fingerprint), nonce_(nonce), fence_(fence) {}
  Permit(Permit&& other) noexcept
      : owner_(std::exchange(other.owner_, nullptr)),
        fingerprint_(other.fingerprint_),
        nonce_(other.nonce_),
        fence_(other.fence_) {}
  Permit& operator=(Permit&& other) noexcept {
    if (this != &other) {
      if (owner_ != nullptr) owner_->dropped(*this);
      owner_ = std::exchange(other.owner_, nullptr);
      fingerprint_ = other.fingerprint_;
      nonce_ = other.nonce_;
      fence_ = other.fence_;
    }
    return *this;
  }
  ~Permit() {
    if (owner_ != nullptr) owner_->dropped(*this);
  }

  const Fingerprint& fingerprint() const { return fingerprint_; }
  const Nonce& nonce() const { return nonce_; }
  std::uint64_t fence() const { return fence_; }

  /// For stores: the permit has been used; its destructor will report nothing.
  void use() { owner_ = nullptr; }

 private:
  PermitOwner* owner_;
  Fingerprint fingerprint_;
  Nonce nonce_;
  std::uint64_t fence_;
};

}  // namespace onceproxy::store
