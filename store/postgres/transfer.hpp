// Transfer: live records in and out of the shared store, for `onceproxy store move`. It is for a
// time when no onceproxy uses the schema: it takes no turns and asks no leases.
//
// Blocks until the database has answered. Errors are std::runtime_error with a message for an
// operator. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>

#include "store/entity.hpp"
#include "store/gcra.hpp"
#include "store/postgres/options.hpp"
#include "store/record.hpp"

namespace onceproxy::store {

/// What is carried, each under its name. An answer is in its record, not apart.
using CarriedRecord = std::pair<Fingerprint, Record>;
using CarriedEntity = std::pair<EntityKey, Entity>;
using CarriedRate = std::pair<RateKey, RateTime>;

class PostgresTransfer {
 public:
  /// Connects. Refuses a schema that is not of this program's version.
  explicit PostgresTransfer(const PostgresOptions& options);
  ~PostgresTransfer();
  PostgresTransfer(const PostgresTransfer&) = delete;
  PostgresTransfer& operator=(const PostgresTransfer&) = delete;

  /// All that has not expired, in the order of their names.
  void read_records(const std::function<void(const CarriedRecord&)>& each);
  void read_entities(const std::function<void(const CarriedEntity&)>& each);
  void read_rates(const std::function<void(const CarriedRate&)>& each);

  /// Adds them in one transaction and returns how many were new; what is there under the same name
  /// stays as it is. A reservation is written with its lease, which nobody renews.
  std::size_t write_records(std::span<const CarriedRecord> records);
  std::size_t write_entities(std::span<const CarriedEntity> entities);
  std::size_t write_rates(std::span<const CarriedRate> rates);

  /// Reservations get fences above this one from now on.
  void raise_fence(std::uint64_t above);
  /// The highest fence that was given.
  std::uint64_t highest_fence();

 private:
  class Session;
  const std::unique_ptr<Session> session_;
};

}  // namespace onceproxy::store
