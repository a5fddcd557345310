// Arrivals: limits the messages that have begun and are not complete yet: their memory, over all
// calls, and their time. The owner of a port implements it. Not thread-safe: used on one event
// loop.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>

namespace onceproxy::grpc {

class Arrivals {
 public:
  /// The memory of one message. It is returned when the object is destroyed.
  class Share {
   public:
    virtual ~Share() = default;
    Share(const Share&) = delete;
    Share& operator=(const Share&) = delete;

    /// `arrived` more bytes have arrived, and the message has `held` bytes now. Returns false if
    /// there is no room for them: the message must be given up.
    virtual bool grow(std::size_t arrived, std::size_t held) = 0;

   protected:
    Share() = default;
  };

  /// A message has arrived in part. `shed` is called later, and not within another call of this
  /// interface, if the message must be given up for others; the share still exists then, and
  /// `shed` must not destroy it. If `shed` is empty, the message counts, but it is never given up:
  /// grow() returns true.
  virtual std::unique_ptr<Share> begin(std::function<void()> shed) = 0;
  /// How long a message may take to arrive.
  virtual std::chrono::milliseconds time_max() const = 0;

 protected:
  ~Arrivals() = default;
};

}  // namespace onceproxy::grpc
