// Waits: the calls of this process that wait for an operation's outcome, or for an entity's turn,
// in order of arrival. Waking takes one at a time: what it finds out decides whether the next one
// is worth waking. It does no I/O and knows no time.
//
// Thread-safe. A waiter that was woken is delivered to its loop; until then it must stay.
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
  /// Woken, and not run yet.
  bool on_its_way_ = false;
};

class Waits {
 public:
  using Name = std::array<std::uint8_t, 32>;

  /// Behind those that wait already.
  void add(const Name& name, WaitingCall& waiter);
  void remove(const Name& name, WaitingCall& waiter);
  /// False: it is on its way to its loop, and will be resumed; until then it must stay.
  bool quiet(const WaitingCall& waiter);
  /// To be called when it is resumed: it stands where it stood, until remove().
  void resumed(WaitingCall& waiter);
  /// The one that has waited longest and is not on its way.
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
