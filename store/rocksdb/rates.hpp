// Rates: how much of which rate limit is used. A limit's state is read from disk when a reservation
// first asks for it and stays in memory while one that took a token is held. During this time the
// state in memory counts, and the committer writes from it. It does not know the callers.
//
// Thread-safe: sharded by key. A first use waits for the disk with its shard locked.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <variant>

#include "store/gcra.hpp"
#include "store/rocksdb/database.hpp"
#include "store/shards.hpp"

namespace onceproxy::store {

class Rates {
 public:
  /// Both outlive it.
  Rates(const Database& database, const RocksDbObserver& observer)
      : database_(database), observer_(observer) {}

  /// A token was taken. Its holder is a user of the limit until leave().
  struct Token {
    std::chrono::nanoseconds interval{0};
    RateTime taken{};
  };
  using Taken = std::variant<Token, RateLimited, Unavailable>;
  Taken take(const RateTerms& terms, WallTime now);

  /// What the token was taken for did not happen. Only between take() and leave().
  void give_back(const RateKey& key, const Token& token);
  void leave(const RateKey& key);

  /// As it is to be written. Only between take() and leave().
  std::string encoded(const RateKey& key) const;

  std::size_t size() const;

 private:
  struct Entry {
    RateTime arrival{};
    /// When the last token was taken of those that can still be given back.
    RateTime last{};
    std::size_t users = 0;
  };
  using Table = Shards<RateKey, Entry>;

  std::variant<Entry, Unavailable> load(const RateKey& key) const;

  const Database& database_;
  const RocksDbObserver& observer_;
  Table table_;
};

/// The value under a rate limit's key; its grammar stands in rates.cpp. Nothing if the bytes are
/// none.
std::string encode_rate(RateTime arrival);
std::optional<RateTime> decode_rate(std::string_view bytes);
/// From then on it says nothing.
std::optional<WallTime> decode_rate_expiry(std::string_view bytes);

}  // namespace onceproxy::store
