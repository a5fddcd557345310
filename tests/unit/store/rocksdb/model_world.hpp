// The store that the model is held against, driven one step at a time from one thread: a loop for
// each call, whose timers go off in an order that the test gives, a clock that knows when the store
// has seen it turned, and a way to wait until nothing more will happen. See model.hpp.
#pragma once

#include <set>

#include "faulty_file_system.hpp"
#include "model.hpp"
#include "model_clock.hpp"
#include "model_words.hpp"
#include "store_fixture.hpp"

namespace onceproxy::store::model {

using testing::Signal;

class World {
 public:
  explicit World(Sync sync) {
    options_.path = directory_.path() / "store";
    options_.sync = sync;
    tuning_.tick = Millis(1);
    tuning_.reopen_first = tuning_.reopen_last = Millis(1);
    tuning_.over = faulty_.over;
    open();
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World() {
    for (auto& [number, permit] : permits_) permit.use();
    store_->close();
    run_delivered();
  }

  Millis now() const { return clock_.turned(); }
  /// Permits in hand, by the call that got them.
  const std::map<int, Permit>& permits() const { return permits_; }
  std::set<int> used_permits() const {
    std::set<int> out;
    for (const auto& [number, copy] : copies_) {
      if (!permits_.contains(number)) out.insert(number);
    }
    return out;
  }

  /// What was answered since it was last asked, by call and verb.
  std::map<int, std::string> answers() { return std::exchange(answers_, {}); }

  void reserve(int number, const Ask& ask) {
    calls_[number] = std::make_unique<Reserving>(*this, number, ask);
    Reserving& call = *calls_[number];
    if (store_->reserve(call.request, call)) answered(call);
    settle_down();
    // Without a disk that is all there is to wait for.
    while (broken_ && !call.is_answered) {
      if (!delivered_.wait([this] { return !ready_.empty(); })) {
        throw std::runtime_error("never answered");
      }
      run_delivered();
    }
  }
  void complete(int verb, int permit, int answer) {
    settle(verb, [&](Call<Settled>& call) {
      return store_->complete(take(permit), answer_of(answer), call);
    });
  }
  void release(int verb, int permit) {
    settle(verb, [&](Call<Settled>& call) { return store_->release(take(permit), {}, call); });
  }
  void mark_unknown(int verb, int permit) {
    settle(verb, [&](Call<Settled>& call) {
      return store_->mark_unknown(take(permit), "a timeout", call);
    });
  }
  void drop(int permit) {
    permits_.erase(permit);
    settle_down();
  }
  /// As a kill leaves it: reservations stay behind, and their permits prove nothing any more.
  void reopen() {
    for (auto& [number, permit] : permits_) permit.use();
    permits_.clear();
    store_->close();
    run_delivered();
    open();
  }

  void turn_clock_to(Millis at) {
    clock_.turn_to(at);
    settle_down();
  }
  struct Due {
    Millis at{0};
    int call = 0;
    auto operator<=>(const Due&) const = default;
  };
  std::optional<Due> next_timer() const {
    std::optional<Due> out;
    for (const auto& [timer, each] : timers_) {
      if (!out || each.due < *out) out = each.due;
    }
    return out;
  }
  /// The timer that next_timer() named goes off.
  void expire_next() {
    const Due due = *next_timer();
    const auto found = std::find_if(timers_.begin(), timers_.end(),
                                    [&](const auto& timer) { return timer.second.due == due; });
    const auto expired = std::move(found->second.expired);
    timers_.erase(found);
    expired();
    settle_down();
  }

  /// While `work` runs no write reaches the disk, so it must not wait for one.
  template <typename Work>
  void without_disk(testing::FaultyFileSystem::Fault fault, Work&& work) {
    faulty_.files->fault = fault;
    broken_ = true;
    work();
    faulty_.files->fault = testing::FaultyFileSystem::Fault::none;
    clock_.wait_for_round();  // which it makes only when it is well
    broken_ = false;
    settle_down();
  }

 private:
  struct Expiring {
    Due due;
    std::function<void()> expired;
  };

  struct HandTimer final : Timer {
    explicit HandTimer(World& owner) : world(owner) {}
    ~HandTimer() override { world.timers_.erase(this); }
    World& world;
  };

  struct CallLoop : Loop {
    CallLoop(World& owner, int number) : world(owner), call(number) {}
    void deliver(CallBase* first) noexcept override {
      world.delivered_.change([&] {
        while (first != nullptr) world.ready_.push_back(std::exchange(first, first->next));
      });
    }
    std::unique_ptr<Timer> timer(Millis after, std::function<void()> expired) override {
      auto out = std::make_unique<HandTimer>(world);
      world.timers_[out.get()] = {{world.now() + after, call}, std::move(expired)};
      return out;
    }
    World& world;
    const int call;
  };

  struct Reserving final : CallLoop, Call<ReserveResult> {
    Reserving(World& owner, int call_number, const Ask& ask)
        : CallLoop(owner, call_number),
          Call<ReserveResult>(static_cast<Loop&>(*this)),
          request(request_of(ask)),
          turn_wanted(ask.wants_turn()),
          fence_before(owner.fence_highest_) {
      resume = [](CallBase& base) {
        auto& self = static_cast<Reserving&>(static_cast<Call<ReserveResult>&>(base));
        self.world.answered(self);
      };
    }
    const ReserveRequest request;
    const bool turn_wanted;
    /// The highest of the reservations that had been made when it was called.
    const std::uint64_t fence_before;
    bool is_answered = false;
  };

  void open() {
    store_.reset();
    store_ = open_tuned(options_, tuning_, clock_, seen_.observer());
  }

  Permit take(int number) {
    if (const auto found = permits_.find(number); found != permits_.end()) {
      Permit out = std::move(found->second);
      permits_.erase(found);
      return out;
    }
    // One that is used up already, shown again.
    const Copy& copy = copies_.at(number);
    return Permit(*store_, copy.fingerprint, copy.nonce, copy.fence);
  }

  template <typename Verb>
  void settle(int number, Verb&& verb) {
    testing::Waiting<Settled> call(direct_);
    if (verb(call)) call.at_once();
    const Settled settled = call.wait();
    answers_[number] = settled == Settled::done      ? "done"
                       : settled == Settled::refused ? "refused"
                                                     : "failed";
    settle_down();
  }

  void answered(Reserving& call) {
    if (call.is_answered) throw std::logic_error("a call is answered twice");
    call.is_answered = true;
    answers_[call.call] = text_of(call);
  }

  std::string text_of(Reserving& call) {
    if (auto* const got = std::get_if<Reserved>(&*call.result)) return text_of(call, *got);
    return model::text_of(*call.result, clock_.epoch());
  }

  std::string text_of(Reserving& call, Reserved& got) {
    Permit& permit = got.permit;
    copies_[call.call] = {permit.fingerprint(), permit.nonce(), permit.fence()};
    std::string out = reserved(got.attempt);
    if (permit.fence() <= call.fence_before)
      out += ", and its fence is no higher than an earlier one";
    if (permit.fingerprint() != call.request.fingerprint) out += " of another fingerprint";
    if (call.turn_wanted != (call.turn_wait >= std::chrono::nanoseconds(0))) {
      out += ", with a wrong time waited for the turn";
    }
    fence_highest_ = std::max(fence_highest_, permit.fence());
    permits_.insert_or_assign(call.call, std::move(permit));
    return out;
  }

  std::size_t run_delivered() {
    std::vector<CallBase*> batch;
    delivered_.change([&] { batch.swap(ready_); });
    for (CallBase* const call : batch) call->resume(*call);
    return batch.size();
  }

  /// Returns when nothing more will happen: what was pushed to the committer before a reservation
  /// is answered is on disk, and delivered before its release is.
  void settle_down() {
    if (broken_) return;
    do {
      testing::Waiting<ReserveResult> asked(direct_);
      const ReserveRequest request = testing::request(999);
      if (!store_->reserve(request, asked)) asked.wait();
      auto* const got = std::get_if<Reserved>(&*asked.result);
      if (got == nullptr) throw std::runtime_error("the store does not answer the model's own");
      fence_highest_ = std::max(fence_highest_, got->permit.fence());
      testing::Waiting<Settled> freed(direct_);
      if (!store_->release(std::move(got->permit), {}, freed)) freed.wait();
    } while (run_delivered() > 0);
  }

  struct Copy {
    Fingerprint fingerprint;
    Nonce nonce{};
    std::uint64_t fence = 0;
  };

  testing::TemporaryDirectory directory_;
  WatchedClock clock_;
  testing::Seen seen_;
  testing::FaultyEnvironment faulty_;
  testing::DirectLoop direct_;
  RocksDbOptions options_;
  Tuning tuning_;
  Signal delivered_;
  std::vector<CallBase*> ready_;
  std::map<const Timer*, Expiring> timers_;
  std::map<int, std::unique_ptr<Reserving>> calls_;
  std::map<int, std::string> answers_;
  std::map<int, Copy> copies_;
  std::uint64_t fence_highest_ = 0;
  bool broken_ = false;
  std::unique_ptr<RocksDbStore> store_;
  std::map<int, Permit> permits_;
};

}  // namespace onceproxy::store::model
