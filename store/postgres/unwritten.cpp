#include "store/postgres/unwritten.hpp"

#include <utility>

namespace onceproxy::store {

void Unwritten::keep(std::unique_ptr<Settling> outcome) {
  std::unique_ptr<Settling> refused;
  {
    const std::lock_guard lock(mutex_);
    const std::size_t bytes = outcome->bytes();
    if (!closed_ && kept_.size() < work_->tuning.retained_max &&
        bytes_ + bytes <= work_->tuning.retained_bytes_max && !outcome->expired()) {
      bytes_ += bytes;
      kept_.push_back(std::move(outcome));
      work_->counters.retained.store(kept_.size(), std::memory_order_relaxed);
    } else {
      refused = std::move(outcome);
    }
  }
  if (refused) refused->give_up();
}

void Unwritten::undo(const Fingerprint& fingerprint, const Nonce& nonce, BootClock::time_point from,
                     BootClock::time_point lease_ends) {
  Settling::What what;
  what.fingerprint = fingerprint;
  what.nonce = nonce;
  what.holding.lease_ends = lease_ends;
  what.from = from;
  keep(Settling::undo(*work_, house_, std::move(what)));
}

void Unwritten::retry() {
  if (work_->circuit.open()) return;
  std::vector<std::unique_ptr<Settling>> all;
  {
    const std::lock_guard lock(mutex_);
    all.swap(kept_);
    bytes_ = 0;
    work_->counters.retained.store(0, std::memory_order_relaxed);
  }
  for (std::unique_ptr<Settling>& outcome : all) {
    if (outcome->expired()) {
      outcome->give_up();
    } else if (!outcome->due() && !work_->closing.load()) {
      keep(std::move(outcome));
    } else {
      outcome.release()->retry(house_);  // owns itself
    }
  }
}

bool Unwritten::empty() const {
  const std::lock_guard lock(mutex_);
  return kept_.empty();
}

void Unwritten::close() {
  std::vector<std::unique_ptr<Settling>> all;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    all.swap(kept_);
    bytes_ = 0;
  }
  for (const std::unique_ptr<Settling>& outcome : all) outcome->give_up();
}

}  // namespace onceproxy::store
