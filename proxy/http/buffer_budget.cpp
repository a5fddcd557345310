#include "proxy/http/buffer_budget.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

namespace onceproxy::http {

namespace {

using Seconds = std::chrono::duration<double>;

/// After this time the bytes that arrived count half. Between two reads of a slow but steady client
/// lie fractions of a second.
constexpr Seconds half_life{1.0};

}  // namespace

BufferBudget::Share::Share(const Account& account, std::function<void()> cancel)
    : budget_(account.budget_),
      holder_(account.holder_),
      metrics_(account.metrics_),
      cancel_(std::move(cancel)) {
  const std::lock_guard lock(budget_.mutex_);
  budget_.shares_.push_back(*this);
}

BufferBudget::Share::~Share() {
  {
    const std::lock_guard lock(budget_.mutex_);
    budget_.shares_.erase(budget_.shares_.iterator_to(*this));
  }
  budget_.bytes_ -= held_.exchange(0);
  metrics_.buffered(budget_.what_, -static_cast<std::int64_t>(counted_));
}

bool BufferBudget::Share::grow(std::size_t arrived, std::size_t held, Time now) {
  if (shed()) return false;
  const double halvings = Seconds(now - at_) / half_life;
  arrived_ += static_cast<double>(arrived);
  recent_ = recent_ * std::exp2(-halvings) + static_cast<double>(arrived);
  at_ = now;
  speed_ =
      std::log2(recent_ / std::max(arrived_, 1.0)) + Seconds(now.time_since_epoch()) / half_life;
  metrics_.buffered(budget_.what_,
                    static_cast<std::int64_t>(held) - static_cast<std::int64_t>(counted_));
  counted_ = held;
  // Unsigned: a share that shrinks adds what wraps around to less.
  budget_.bytes_ += held - held_.exchange(held);
  if (budget_.bytes_.load() > budget_.bytes_max_.load()) budget_.shed_slowest();
  return !shed();
}

void BufferBudget::shed_slowest() {
  const std::lock_guard lock(mutex_);
  while (bytes_.load() > bytes_max_.load()) {
    Share* slowest = nullptr;
    for (Share& share : shares_) {
      if (share.shed() || !share.cancel_ || share.held_.load() == 0) continue;
      if (slowest == nullptr || share.speed_.load() < slowest->speed_.load()) slowest = &share;
    }
    if (slowest == nullptr) return;
    slowest->shed_ = true;
    // At once, or the next one to grow would have another shed for the same bytes.
    bytes_ -= slowest->held_.exchange(0);
    slowest->holder_.shares_shed();
  }
}

void BufferBudget::cancel_shed(const Holder& holder) {
  const std::lock_guard lock(mutex_);
  for (Share& share : shares_) {
    if (&share.holder_ == &holder && share.shed()) share.cancel_();
  }
}

}  // namespace onceproxy::http
