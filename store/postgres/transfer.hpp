// Transfer: copies live records into and out of the shared store, for `onceproxy store move`. No
// onceproxy may use the schema meanwhile, because turns and leases are not checked.
//
// Blocks until the database has answered. Errors are std::runtime_error with a message for an
// operator. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "store/carried.hpp"
#include "store/postgres/options.hpp"

namespace onceproxy::store {

class PostgresTransfer {
 public:
  /// Connects. Throws if the schema has another version than this program's.
  explicit PostgresTransfer(const PostgresOptions& options);
  ~PostgresTransfer();
  PostgresTransfer(const PostgresTransfer&) = delete;
  PostgresTransfer& operator=(const PostgresTransfer&) = delete;

  /// Reads all records that have not expired, in the order of their names.
  void read_records(const std::function<void(const CarriedRecord&)>& each);
  void read_entities(const std::function<void(const CarriedEntity&)>& each);
  void read_rates(const std::function<void(const CarriedRate&)>& each);

  /// Adds the records in one transaction and returns how many were new. Records with the same name
  /// that exist already stay as they are. A reservation is written with its lease, which nobody
  /// renews.
  std::size_t write_records(std::span<const CarriedRecord> records);
  std::size_t write_entities(std::span<const CarriedEntity> entities);
  std::size_t write_rates(std::span<const CarriedRate> rates);

  /// Makes later reservations get fences above this one.
  void raise_fence(std::uint64_t above);
  /// The highest fence that was given out.
  std::uint64_t highest_fence();

 private:
  class Session;
  const std::unique_ptr<Session> session_;
};

}  // namespace onceproxy::store
