// RocksDbTransfer: live records in and out of the embedded store, for `onceproxy store move`. It is
// the only one that has the directory open: a process that runs there makes the constructor throw,
// and none can start meanwhile. As after any end of a process, a reservation in the store has lost
// its holder, and what is carried is its lease.
//
// Blocks on the disk. Errors are std::runtime_error with a message for an operator. Not
// thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "store/carried.hpp"
#include "store/clock.hpp"
#include "store/rocksdb/options.hpp"

namespace onceproxy::store {

class RocksDbTransfer {
 public:
  enum class Opening {
    existing,  ///< refuses a directory that holds no store
    create,    ///< makes one if there is none
  };
  /// `clock` outlives it. Refuses a store whose clock is in doubt: its times could not be converted
  /// to those of another store.
  RocksDbTransfer(const RocksDbOptions& options, Clock& clock, Opening opening);
  ~RocksDbTransfer();
  RocksDbTransfer(const RocksDbTransfer&) = delete;
  RocksDbTransfer& operator=(const RocksDbTransfer&) = delete;

  /// All that has not expired, in the order of their names. A record that cannot be read ends it
  /// with an error.
  void read_records(const std::function<void(const CarriedRecord&)>& each);
  void read_entities(const std::function<void(const CarriedEntity&)>& each);
  void read_rates(const std::function<void(const CarriedRate&)>& each);

  /// Adds them in one synced write and returns how many were new; what is there under the same name
  /// and has not expired stays as it is.
  std::size_t write_records(std::span<const CarriedRecord> records);
  std::size_t write_entities(std::span<const CarriedEntity> entities);
  std::size_t write_rates(std::span<const CarriedRate> rates);

  /// Reservations get fences above this one from now on.
  void raise_fence(std::uint64_t above);
  /// No reservation ever got a higher one.
  std::uint64_t highest_fence() const;

  /// How many records have the digests of an earlier version, under which no other store looks.
  /// Reads all of them if there may be any.
  std::uint64_t earlier_digests();

 private:
  class Session;
  const std::unique_ptr<Session> session_;
};

}  // namespace onceproxy::store
