#include "store/rocksdb/rates.hpp"

#include <cstdint>
#include <utility>

#include "store/codec.hpp"

namespace onceproxy::store {

// A rate limit, under its 32-byte key:
//
//   rate    := version arrival
//   version := u8     1
//   arrival := i64    the theoretical arrival time in nanoseconds since 1970, little-endian. From
//                     then on the value says nothing, and is reclaimed.
namespace {
constexpr std::uint8_t version = 1;
}

std::string encode_rate(RateTime arrival) {
  Writer out(9);
  out.number(version);
  out.number<std::int64_t>(arrival.time_since_epoch().count());
  return out.take();
}

std::optional<RateTime> decode_rate(std::string_view bytes) {
  Reader in(bytes);
  if (in.number<std::uint8_t>() != version) return std::nullopt;
  const RateTime arrival(std::chrono::nanoseconds(in.number<std::int64_t>()));
  if (!in.good_to_the_end()) return std::nullopt;
  return arrival;
}

std::optional<WallTime> decode_rate_expiry(std::string_view bytes) {
  const auto arrival = decode_rate(bytes);
  if (!arrival) return std::nullopt;
  return std::chrono::ceil<std::chrono::milliseconds>(*arrival);
}

std::variant<Rates::Entry, Unavailable> Rates::load(const RateKey& key) const {
  Database::Found found;
  database_.get(Family::rates, key.view(), found);
  if (found.failed()) {
    if (observer_.failed) observer_.failed("read", found.error());
    return Unavailable{Unavailable::Reason::failed};
  }
  if (!found.present()) return Entry{};
  const auto arrival = decode_rate(found.value());
  if (!arrival) {
    if (observer_.failed) observer_.failed("decode", "rate limit " + key.hex());
    return Unavailable{Unavailable::Reason::corrupt};
  }
  return Entry{*arrival, {}, 0};
}

Rates::Taken Rates::take(const RateTerms& terms, WallTime now) {
  Table::Shard& home = table_.of(terms.key);
  const std::lock_guard lock(home.mutex);
  auto found = home.entries.find(terms.key);
  if (found == home.entries.end()) {
    const auto loaded = load(terms.key);
    if (const auto* const failed = std::get_if<Unavailable>(&loaded)) return *failed;
    found = home.entries.emplace(terms.key, std::get<Entry>(loaded)).first;
  }
  Entry& entry = found->second;
  if (const auto wait = take_token(entry.arrival, now, terms)) {
    if (entry.users == 0) home.entries.erase(found);
    return RateLimited{std::chrono::ceil<std::chrono::milliseconds>(*wait)};
  }
  ++entry.users;
  entry.last = now;
  return Token{token_interval(terms), now};
}

void Rates::give_back(const RateKey& key, const Token& token) {
  Table::Shard& home = table_.of(key);
  const std::lock_guard lock(home.mutex);
  Entry& entry = home.entries.at(key);
  give_token_back(entry.arrival, token.interval, token.taken, entry.last);
}

void Rates::leave(const RateKey& key) {
  Table::Shard& home = table_.of(key);
  const std::lock_guard lock(home.mutex);
  const auto found = home.entries.find(key);
  if (--found->second.users == 0) home.entries.erase(found);
}

std::string Rates::encoded(const RateKey& key) const {
  const Table::Shard& home = table_.of(key);
  const std::lock_guard lock(home.mutex);
  return encode_rate(home.entries.at(key).arrival);
}

std::size_t Rates::size() const {
  std::size_t sum = 0;
  for (const Table::Shard& home : table_) {
    const std::lock_guard lock(home.mutex);
    sum += home.entries.size();
  }
  return sum;
}

}  // namespace onceproxy::store
