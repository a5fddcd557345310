#include "proxy/delivery/circuit.hpp"

#include <algorithm>

namespace onceproxy::delivery {

Circuit::State Circuit::state(Time now) const {
  if (opened_ == 0) return State::closed;
  return now < open_until_ ? State::open : State::half_open;
}

bool Circuit::try_begin(Time now) {
  switch (state(now)) {
    case State::closed:
      return true;
    case State::open:
      return false;
    case State::half_open:
      if (trial_) return false;
      trial_ = true;
      return true;
  }
  return true;
}

void Circuit::succeeded() {
  failures_ = 0;
  opened_ = 0;
  trial_ = false;
}

void Circuit::failed(Time now) {
  const bool was_trial = trial_ && now >= open_until_;
  trial_ = false;
  // The circuit is already open, so a failure of a delivery that began earlier changes nothing.
  if (opened_ > 0 && !was_trial) return;
  if (opened_ == 0 && ++failures_ < options_.failures_max) return;
  std::chrono::milliseconds time = options_.open_min;
  for (std::uint32_t i = 0; i < opened_ && time < options_.open_max; ++i) time *= 2;
  ++opened_;
  open_until_ = now + std::min(time, options_.open_max);
}

std::string_view name(Circuit::State state) {
  switch (state) {
    case Circuit::State::closed:
      return "closed";
    case Circuit::State::open:
      return "open";
    case Circuit::State::half_open:
      return "half-open";
  }
  return "closed";
}

}  // namespace onceproxy::delivery
