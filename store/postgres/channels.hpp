// Channels: finds the channel for a call. It is the channel of the call's loop, which is made with
// the first call from there, or the store's own. Thread-safe.
#pragma once

#include <memory>
#include <shared_mutex>
#include <utility>
#include <vector>

#include "store/postgres/channel.hpp"
#include "store/postgres/poll_loop.hpp"

namespace onceproxy::store {

class Channels {
 public:
  /// `each`: the maximum number of connections of a loop.
  Channels(const Channel::Parts& parts, std::size_t each, PollLoop& house_loop, Channel& house)
      : parts_(parts), each_(each), house_loop_(house_loop), house_(house) {}

  struct Carrier {
    Channel& channel;
    /// Whether the caller runs on the channel's thread.
    bool on_thread;
  };
  /// If the loop watches sockets, this is called on its thread.
  Carrier of(Loop& loop) {
    if (!loop.watches()) return {house_, house_loop_.on_thread()};
    {
      const std::shared_lock lock(mutex_);
      for (const auto& [owner, channel] : channels_) {
        if (owner == &loop) return {*channel, true};
      }
    }
    auto made = std::make_unique<Channel>(parts_, loop, each_, false);
    const std::unique_lock lock(mutex_);
    channels_.emplace_back(&loop, std::move(made));
    return {*channels_.back().second, true};
  }

  /// As Store::submit().
  void submit(Loop& loop) {
    Channel* found = nullptr;
    {
      const std::shared_lock lock(mutex_);
      for (const auto& [owner, channel] : channels_) {
        if (owner == &loop) found = channel.get();
      }
    }
    if (found != nullptr) found->submit();
  }

  /// On the loop's thread.
  void leave(Loop& loop) {
    std::unique_ptr<Channel> gone;
    {
      const std::unique_lock lock(mutex_);
      for (auto at = channels_.begin(); at != channels_.end(); ++at) {
        if (at->first != &loop) continue;
        gone = std::move(at->second);
        channels_.erase(at);
        break;
      }
    }
    // Not under the lock, because closing calls the queries that are under way.
    gone.reset();
  }

 private:
  const Channel::Parts parts_;
  const std::size_t each_;
  PollLoop& house_loop_;
  Channel& house_;
  std::shared_mutex mutex_;
  std::vector<std::pair<Loop*, std::unique_ptr<Channel>>> channels_;
};

}  // namespace onceproxy::store
