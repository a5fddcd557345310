// Watch: a socket, and the waits for it that Asio has under way, at most one in each direction.
//
// Asio tells a wait that it was aborted after the socket was closed, when the owner of the socket
// may be gone. So the handlers share the watch, and the watch forgets its owner when it is closed.
// A wait for reading costs no allocation: its handler lives in the watch.
//
// Why waits, and not Asio's reads: an asynchronous read is tried at once, and usually there is
// nothing yet. Both cost one system call a read; the wait leaves the read, its buffer and its
// moment to the owner.
// Not thread-safe: one event loop.
#pragma once

#include <boost/asio/associated_allocator.hpp>
#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>
#include <cstddef>
#include <new>
#include <utility>

#include "proxy/io/socket.hpp"

namespace onceproxy::io {

class Watch final : public boost::intrusive_ref_counter<Watch, boost::thread_unsafe_counter> {
 public:
  using Pointer = boost::intrusive_ptr<Watch>;

  /// Hears of the waits' ends. May close the watch, or be destroyed, in that call.
  class Owner {
   public:
    /// A read will not block: there are bytes, an end or an error. `error`: Asio could not wait.
    virtual void readable(ErrorCode error) = 0;
    virtual void writable(ErrorCode error) = 0;

   protected:
    ~Owner() = default;
  };

  Watch(Socket its_socket, Owner& owner) : socket(std::move(its_socket)), owner_(&owner) {}

  /// Tells the owner once, also where there is something to read by now.
  void wait_readable() {
    if (std::exchange(waits_readable_, true)) return;
    socket.async_wait(Socket::wait_read, Readable{this});
  }
  void wait_writable() {
    if (std::exchange(waits_writable_, true)) return;
    socket.async_wait(Socket::wait_write, [self = Pointer(this)](ErrorCode error) {
      self->waits_writable_ = false;
      if (self->owner_ != nullptr) self->owner_->writable(error);
    });
  }

  /// The owner hears no more.
  void close() {
    owner_ = nullptr;
    ErrorCode ignored;
    socket.close(ignored);
  }

  Socket socket;

 private:
  /// Room for one handler of Asio's, with what Asio puts round it.
  struct Slot {
    static constexpr std::size_t bytes = 128;
    alignas(std::max_align_t) std::byte memory[bytes];
    bool used = false;
  };

  template <typename T>
  class SlotAllocator {
   public:
    using value_type = T;
    explicit SlotAllocator(Slot& slot) : slot_(&slot) {}
    template <typename U>
    SlotAllocator(const SlotAllocator<U>& other) : slot_(other.slot_) {}

    T* allocate(std::size_t count) {
      static_assert(sizeof(T) <= Slot::bytes && alignof(T) <= alignof(std::max_align_t));
      if (count == 1 && !std::exchange(slot_->used, true)) {
        return reinterpret_cast<T*>(slot_->memory);
      }
      return static_cast<T*>(::operator new(count * sizeof(T)));
    }
    void deallocate(T* memory, std::size_t) {
      if (reinterpret_cast<std::byte*>(memory) == slot_->memory) {
        slot_->used = false;
      } else {
        ::operator delete(memory);
      }
    }
    template <typename U>
    bool operator==(const SlotAllocator<U>& other) const {
      return slot_ == other.slot_;
    }

   private:
    template <typename U>
    friend class SlotAllocator;
    Slot* slot_;
  };

  struct Readable {
    Pointer watch;
    using allocator_type = SlotAllocator<void>;
    allocator_type get_allocator() const noexcept { return allocator_type(watch->slot_); }
    void operator()(ErrorCode error) {
      watch->waits_readable_ = false;
      if (watch->owner_ != nullptr) watch->owner_->readable(error);
    }
  };

  Owner* owner_;
  bool waits_readable_ = false;
  bool waits_writable_ = false;
  Slot slot_;
};

}  // namespace onceproxy::io
