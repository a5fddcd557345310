#include "store/postgres/confirmer.hpp"

#include <algorithm>
#include <utility>

#include "store/postgres/poll_loop.hpp"

namespace onceproxy::store {

using SteadyClock = std::chrono::steady_clock;

class Confirmer::Look final : public Query {
 public:
  explicit Look(Confirmer& owner) : Query(Statement::confirmed), owner_(owner) {}
  void bind(pq::Params&, const Server&) const override {}
  void replied(Reply reply) override {
    under_way = false;
    owner_.looked(reply);
  }
  void late() override {}

  bool under_way = false;

 private:
  Confirmer& owner_;
};

Confirmer::Confirmer(Channel& house, const PostgresTuning& tuning, Counters& counters)
    : house_(house), tuning_(tuning), counters_(counters), look_(std::make_unique<Look>(*this)) {}

Confirmer::~Confirmer() = default;

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
      confirmation.outcome = Confirmation::Outcome::unconfirmed;
      confirmation.next = nullptr;
      confirmation.home.deliver(&confirmation);
      return;
    }
  }
  if (first) post(house_.loop(), [this] { look(); });
}

void Confirmer::look() {
  // Who comes while a look is under way may have been committed after it: the next one counts.
  if (look_->under_way) return;
  {
    const std::lock_guard lock(mutex_);
    waiting_.insert(waiting_.end(), arriving_.begin(), arriving_.end());
    arriving_.clear();
  }
  if (waiting_.empty()) return;
  pause_.reset();
  look_->deadline = SteadyClock::now() + tuning_.confirm_max;
  look_->under_way = house_.send(*look_);
  if (!look_->under_way) again();
}

void Confirmer::again() {
  const auto now = SteadyClock::now();
  std::erase_if(waiting_, [&](Confirmation* waits) {
    if (waits->until > now) return false;
    Counters::add(counters_.replication_unconfirmed);
    waits->outcome = Confirmation::Outcome::unconfirmed;
    waits->next = nullptr;
    waits->home.deliver(waits);
    return true;
  });
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
        waits->outcome = Confirmation::Outcome::elsewhere;
      } else {
        // What was committed before this look lies below it.
        if (waits->lsn == 0) waits->lsn = current;
        if (!known || waits->lsn > confirmed) return false;
        waits->outcome = Confirmation::Outcome::confirmed;
      }
      waits->next = nullptr;
      waits->home.deliver(waits);
      return true;
    });
  }
  {
    const std::lock_guard lock(mutex_);
    waiting_.insert(waiting_.end(), arriving_.begin(), arriving_.end());
    arriving_.clear();
  }
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
  for (Confirmation* const waits : rest) {
    waits->outcome = Confirmation::Outcome::unconfirmed;
    waits->next = nullptr;
    waits->home.deliver(waits);
  }
}

}  // namespace onceproxy::store
