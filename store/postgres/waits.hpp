// Waits: the calls of this process that wait for the outcome of an operation, or for the turn of an
// entity, in order of arrival. Only one call is woken at a time, because what it finds decides
// whether waking the next one is useful. Does no I/O and knows no time.
//
// Thread-safe. A waiter that was woken is delivered to its loop and must live until then.
#pragma once

#include <array>
#include <atomic>
#include <boost/intrusive/list.hpp>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "store/call.hpp"
#include "store/fingerprint.hpp"

namespace onceproxy::store {

class Waits;

class WaitingCall : public CallBase, public boost::intrusive::list_base_hook<> {
 public:
  explicit WaitingCall(Loop& its_loop) : home(its_loop) {}
  Loop& home;

 private:
  friend class Waits;
  /// Woken, but not resumed yet.
  bool on_its_way_ = false;
};

class Waits {
 public:
  using Name = std::array<std::uint8_t, 32>;

  /// Adds a waiter behind the others.
  void add(const Name& name, WaitingCall& waiter);
  void remove(const Name& name, WaitingCall& waiter);
  /// False: it was woken and will be resumed on its loop; it must live until then.
  bool quiet(const WaitingCall& waiter);
  /// To be called when the waiter is resumed. It keeps its place until remove().
  void resumed(WaitingCall& waiter);
  /// Wakes the one that has waited longest and was not woken yet.
  void wake(const Name& name);
  void wake_all();

 private:
  using List = boost::intrusive::list<WaitingCall>;
  struct Hash {
    std::size_t operator()(const Name& name) const {
      return std::hash<Fingerprint>()(Fingerprint{name});
    }
  };
  std::mutex mutex_;
  std::unordered_map<Name, List, Hash> waiting_;
  std::atomic<std::size_t> count_{0};
};

}  // namespace onceproxy::store
