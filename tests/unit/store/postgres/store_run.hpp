// What the tests of the shared store have in common: quick upkeep, and many operations at once on a
// loop that watches sockets.
#pragma once

#include <catch2/catch.hpp>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <vector>

#include "../conformance/backends.hpp"
#include "store/postgres/poll_loop.hpp"

namespace onceproxy::store::testing {

inline PostgresTuning quick() {
  PostgresTuning out;
  out.tick = 20ms;
  out.beat = 100ms;
  out.probe = 50ms;
  out.poll = 300ms;
  out.retained_pause = 100ms;
  out.reconnect_last = 200ms;
  return out;
}

/// Operations that are reserved and completed on one loop, many at once.
class Run {
 public:
  Run(Store& store, Loop& loop) : store_(store), loop_(loop) {}

  void begin(std::uint64_t number) {
    One& one = *all_.emplace_back(std::make_unique<One>(*this, number));
    static_cast<void>(store_.reserve(one.asked, one.reserving));
  }

  /// Begins one, from any thread, and waits until it is done.
  bool finishes(std::uint64_t number) {
    post(loop_, [this, number] { begin(number); });
    return signal.wait([&] { return done == number; });
  }

  Signal signal;
  std::uint64_t done = 0;

 private:
  struct One {
    struct Reserving : Call<ReserveResult> {
      Reserving(Loop& home, One& whose) : Call<ReserveResult>(home), one(whose) {}
      One& one;
    };
    struct Ending : Call<Settled> {
      Ending(Loop& home, Run& whose) : Call<Settled>(home), run(whose) {}
      Run& run;
    };
    One(Run& whose, std::uint64_t number)
        : run(whose),
          asked(request(number)),
          reserving(whose.loop_, *this),
          ending(whose.loop_, whose) {
      reserving.resume = [](CallBase& base) {
        One& self = static_cast<Reserving&>(base).one;
        auto* const reserved = std::get_if<Reserved>(&*self.reserving.result);
        if (reserved == nullptr) return;
        static_cast<void>(
            self.run.store_.complete(std::move(reserved->permit), answer(200, "x"), self.ending));
      };
      ending.resume = [](CallBase& base) {
        Run& run = static_cast<Ending&>(base).run;
        run.signal.change([&] { ++run.done; });
      };
    }
    Run& run;
    const ReserveRequest asked;
    Reserving reserving;
    Ending ending;
  };

  Store& store_;
  Loop& loop_;
  std::vector<std::unique_ptr<One>> all_;
};

/// Calls that are made at once on one loop, and waited for.
class Together {
 public:
  Together(Store& store, PollLoop& loop) : store_(store), loop_(loop) {}

  std::vector<ReserveResult> reserve(const std::vector<ReserveRequest>& requests) {
    return all<ReserveResult>(requests.size(), [&](std::size_t i, Call<ReserveResult>& call) {
      return store_.reserve(requests[i], call);
    });
  }
  std::vector<Settled> complete(std::vector<Permit> permits,
                                const std::function<StoredAnswer(std::size_t)>& answers) {
    return all<Settled>(permits.size(), [&](std::size_t i, Call<Settled>& call) {
      return store_.complete(std::move(permits[i]), answers(i), call);
    });
  }

 private:
  template <typename Result>
  struct One : Call<Result> {
    One(Loop& home, Signal& whose, std::size_t& number)
        : Call<Result>(home), signal(whose), answered(number) {
      this->resume = [](CallBase& base) { static_cast<One&>(base).done(); };
    }
    void done() {
      signal.change([&] { ++answered; });
    }
    Signal& signal;
    std::size_t& answered;
  };
  template <typename Result, typename Begin>
  std::vector<Result> all(std::size_t number, const Begin& begin) {
    Signal signal;
    std::size_t answered = 0;
    std::vector<std::unique_ptr<One<Result>>> calls;
    for (std::size_t i = 0; i < number; ++i) {
      calls.push_back(std::make_unique<One<Result>>(loop_, signal, answered));
    }
    bool begun = false;
    post(loop_, [&] {
      for (std::size_t i = 0; i < number; ++i) {
        if (begin(i, *calls[i])) calls[i]->done();
      }
      signal.change([&] { begun = true; });
    });
    if (!signal.wait([&] { return begun && answered == number; })) {
      throw std::runtime_error("not in time");
    }
    std::vector<Result> out;
    for (const auto& call : calls) out.push_back(std::move(*call->result));
    return out;
  }

  Store& store_;
  PollLoop& loop_;
};

/// Ends what the store has for the loop, and the loop.
inline void leave(Store& store, PollLoop& loop) {
  std::promise<void> left;
  post(loop, [&] {
    store.leave(loop);
    left.set_value();
  });
  left.get_future().wait();
  loop.stop();
}

}  // namespace onceproxy::store::testing
