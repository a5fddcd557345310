#include "store/postgres/confirmer.hpp"

#include <algorithm>
#include <utility>

#include "store/postgres/poll_loop.hpp"

namespace onceproxy::store {

using SteadyClock = BootClock;

namespace {

/// How often waits are checked for their end while a look is under way.
constexpr std::chrono::milliseconds overdue_interval{50};

void tell(Confirmation& confirmation, Confirmation::Outcome outcome) {
  confirmation.outcome = outcome;
  confirmation.next = nullptr;
  confirmation.home.deliver(&confirmation);
}

}  // namespace

/// One look at the positions of the standbys. It owns itself while it is under way. A look that is
/// late is given up, because it may be queued behind a commit that waits for a standby; its answer
/// is then ignored.
class Confirmer::Look final : public Query {
 public:
  explicit Look(Confirmer& owner) : Query(Statement::confirmed), owner_(owner) {}
  void bind(pq::Params&, const Server&) const override {}
  void replied(Reply reply) override {
    const std::unique_ptr<Look> self(this);
    if (owner_.look_ != this) return;
    owner_.look_ = nullptr;
    owner_.looked(reply);
  }
  void late() override {
    if (owner_.look_ == this) owner_.given_up();
  }

 private:
  Confirmer& owner_;
};

Confirmer::Confirmer(Channel& house, const PostgresTuning& tuning, Counters& counters)
    : house_(house), tuning_(tuning), counters_(counters) {}

void Confirmer::wait(Confirmation& confirmation) {
  Counters::add(counters_.replication_waits);
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    if (!closed_) {
      first = arriving_.empty();
      arriving_.push_back(&confirmation);
    }
    if (closed_) {
      tell(confirmation, Confirmation::Outcome::unconfirmed);
      return;
    }
  }
  if (first) post(house_.loop(), [this] { look(); });
}

void Confirmer::look() {
  // An answer that comes while a look is under way may have been committed after it, so it needs
  // the next look.
  if (look_ != nullptr) return;
  take_arrivals();
  if (waiting_.empty()) return;
  pause_.reset();
  auto look = std::make_unique<Look>(*this);
  look->deadline = SteadyClock::now() + tuning_.confirm_max;
  if (!house_.send(*look)) {
    again();
    return;
  }
  look_ = look.release();
  watch_time();
}

/// Ends waits in time, whether the look is answered or not.
void Confirmer::watch_time() {
  pause_ = house_.loop().timer(overdue_interval, [this] {
    expire();
    if (look_ != nullptr) watch_time();
  });
}

/// The look that is under way is late. The next one is sent over a connection that is not stuck,
/// and not within this call, which comes from the channel.
void Confirmer::given_up() {
  look_ = nullptr;
  pause_ = house_.loop().timer(tuning_.confirm_pause, [this] {
    expire();
    look();
  });
}

void Confirmer::take_arrivals() {
  const std::lock_guard lock(mutex_);
  waiting_.insert(waiting_.end(), arriving_.begin(), arriving_.end());
  arriving_.clear();
}

/// Removes the waits whose time is over, and resumes them.
void Confirmer::expire() {
  const auto now = SteadyClock::now();
  std::vector<Confirmation*> over;
  const auto take = [&](Confirmation* waits) {
    if (waits->until > now) return false;
    over.push_back(waits);
    return true;
  };
  std::erase_if(waiting_, take);
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(arriving_, take);
  }
  for (Confirmation* const waits : over) {
    Counters::add(counters_.replication_unconfirmed);
    tell(*waits, Confirmation::Outcome::unconfirmed);
  }
}

void Confirmer::again() {
  expire();
  if (!waiting_.empty()) {
    pause_ = house_.loop().timer(tuning_.confirm_pause, [this] { look(); });
  }
}

void Confirmer::looked(const Reply& reply) {
  if (reply.good() && reply.rows() == 1) {
    const pq::Row row = reply.row();
    const bool known = !row.null(0);
    const auto confirmed = static_cast<std::uint64_t>(row.number(0));
    const auto current = static_cast<std::uint64_t>(row.number(1));
    std::erase_if(waiting_, [&](Confirmation* waits) {
      if (waits->epoch != reply.epoch) {
        tell(*waits, Confirmation::Outcome::elsewhere);
        return true;
      }
      // Everything that was committed before this look is below its position.
      if (waits->lsn == 0) waits->lsn = current;
      if (!known || waits->lsn > confirmed) return false;
      tell(*waits, Confirmation::Outcome::confirmed);
      return true;
    });
  }
  take_arrivals();
  again();
}

void Confirmer::close() {
  std::vector<Confirmation*> rest;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    rest.swap(arriving_);
  }
  pause_.reset();
  rest.insert(rest.end(), waiting_.begin(), waiting_.end());
  waiting_.clear();
  for (Confirmation* const waits : rest) tell(*waits, Confirmation::Outcome::unconfirmed);
}

}  // namespace onceproxy::store
