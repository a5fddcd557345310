#include "store/postgres/ledger_upkeep.hpp"

#include <algorithm>
#include <string_view>

#include "store/postgres/asking.hpp"
#include "store/postgres/failure.hpp"
#include "store/postgres/poll_loop.hpp"
#include "store/postgres/server_clock.hpp"
#include "store/postgres/telling.hpp"

namespace onceproxy::store {

namespace {
constexpr std::chrono::milliseconds tell_pause_max{8'000};
constexpr std::size_t doubts_max = 10'000;
/// For what the clocks of this machine and the database may differ within one operation.
constexpr std::chrono::milliseconds doubt_slack{500};
}  // namespace

void wake_turn(const Work& work, Channel& house, const pq::Row& row, int o_queued, int o_entity) {
  if (!row.flag(o_queued)) return;
  EntityKey entity;
  row.into(o_entity, entity.bytes);
  work.turns.wake(entity.bytes);
  post(house.loop(),
       [&work, &house, entity] { tell_others(house, work.options, telling::turn, entity); });
}

void add_routes(pq::Params& params, const LedgerRoutes::Routes& routes) {
  std::vector<std::string_view> policies;
  std::vector<std::string_view> listeners;
  for (const DeliveryRoute& route : routes) {
    policies.push_back(route.policy);
    listeners.push_back(route.listener);
  }
  params.array(policies);
  params.array(listeners);
}

bool LedgerUpkeep::keep(std::unique_ptr<Deed> end) {
  {
    const std::lock_guard lock(mutex_);
    if (!closed_ && kept_.size() < work_.tuning.retained_max) {
      kept_.push_back(std::move(end));
      return true;
    }
  }
  work_.failed(trouble::retain,
               "the result of a delivery was lost; the delivery is attempted again");
  return false;
}

std::size_t LedgerUpkeep::kept() const {
  const std::lock_guard lock(mutex_);
  return kept_.size();
}

void LedgerUpkeep::on_its_way(const DeliveryKey& key, const Nonce& nonce) {
  const std::lock_guard lock(mutex_);
  on_its_way_.emplace_back(key, nonce);
}

void LedgerUpkeep::give_up(const DeliveryKey& key, const Nonce& nonce) {
  // From then on the loop runs nothing any more, and all claims end with this instance.
  if (work_.closing.load(std::memory_order_acquire)) return;
  post(house_.loop(), [this, left = Left{key, nonce}] { leave(left, true); });
}

void LedgerUpkeep::doubt(const DeliveryKey& key, const Nonce& nonce) {
  const auto from = SteadyClock::now() + work_.options.operation_timeout + doubt_slack;
  {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    doubts_.push_back({{key, nonce}, from});
    if (doubts_.size() <= doubts_max) return;
    doubts_.pop_front();
  }
  work_.failed(trouble::retain, "a claim of a delivery may last until its attempt begins again");
}

/// A claim with that nonce would keep its entity from being closed, and the delivery from others.
void LedgerUpkeep::settle_doubts(SteadyClock::time_point now) {
  if (work_.circuit.open()) return;
  std::vector<Left> due;
  {
    const std::lock_guard lock(mutex_);
    while (!doubts_.empty() && doubts_.front().from <= now) {
      due.push_back(std::move(doubts_.front().claim));
      doubts_.pop_front();
    }
  }
  for (const Left& one : due) {
    if (claims_.find(one.first)) {
      // It is being attempted again: by the end of that the doubt matters no more, or still does.
      doubt(one.first, one.second);
    } else {
      leave(one, true);
    }
  }
}

void LedgerUpkeep::leave(const Left& left, bool whole) {
  OneQuery::send(
      house_, Statement::leave_delivery, work_.options.operation_timeout,
      [left, whole](pq::Params& params) {
        params.number(static_cast<std::int64_t>(left.first.event));
        params.bytes(left.first.listener);
        params.nonce(left.second);
        params.flag(whole);
      },
      [this, left, whole](const Reply& reply) {
        tell_failed(reply, "a claim of a delivery was not given up");
        if (reply.good() && reply.rows() == 1) {
          wake_turn(work_, house_, reply.row(), 0, 1);
        } else if (whole) {
          doubt(left.first, left.second);
        } else {
          on_its_way(left.first, left.second);
        }
      });
}

std::chrono::milliseconds LedgerUpkeep::orphaned_after() const {
  // After an outage nobody has said which routes it has, and a new process has not heard of any.
  constexpr std::chrono::milliseconds never{std::int64_t{9'000'000'000'000}};
  const auto after = work_.tuning.orphaned_after;
  return liveness_.unbroken(SteadyClock::now()) >= after ? after : never;
}

void LedgerUpkeep::follow(LedgerRoutes::Routes routes) {
  routes_.set(std::move(routes));
  const auto all = routes_.all();
  // Where it cannot be said now, the next beat says it. Young events are never orphaned.
  static_cast<void>(ask(work_, house_, Statement::follow_routes, [this, all](pq::Params& params) {
    params.nonce(work_.instance);
    add_routes(params, *all);
  }));
}

void LedgerUpkeep::tick(SteadyClock::time_point now) {
  std::vector<Left> left;
  if (!work_.circuit.open()) {
    const std::lock_guard lock(mutex_);
    left.swap(on_its_way_);
  }
  for (const Left& one : left) {
    const auto claim = claims_.find(one.first);
    // What is being ended holds nothing any more once it has.
    if (claim && claim->nonce == one.second && !claim->ending) leave(one, false);
  }
  if (now < next_retry_) return;
  next_retry_ = now + work_.tuning.retained_pause;
  settle_doubts(now);
  retry();
}

void LedgerUpkeep::retry() {
  if (work_.circuit.open()) return;
  std::vector<std::unique_ptr<Deed>> all;
  {
    const std::lock_guard lock(mutex_);
    all.swap(kept_);
  }
  for (std::unique_ptr<Deed>& deed : all) deed.release()->retry(house_);  // owns itself
}

void LedgerUpkeep::close() {
  std::vector<std::unique_ptr<Deed>> all;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    all.swap(kept_);
  }
  if (all.empty()) return;
  work_.failed(trouble::retain, std::to_string(all.size()) +
                                    " results of deliveries were not written; these deliveries are "
                                    "attempted again");
}

void LedgerUpkeep::beat() {
  const auto routes = routes_.all();
  if (!following_) {
    following_ = true;
    OneQuery::send(
        house_, Statement::follow_routes, work_.options.operation_timeout,
        [this, routes](pq::Params& params) {
          params.nonce(work_.instance);
          add_routes(params, *routes);
        },
        [this](const Reply& reply) {
          following_ = false;
          tell_failed(reply, "the routes of this instance were not written");
        });
  }
  tend();
  find_left_over();
}

/// First what has ended, then what is over. Goes on at once while there may be more. What was too
/// much for the time of one statement is tried in smaller parts.
void LedgerUpkeep::tend() {
  if (std::exchange(tending_, true)) return;
  looks_ = looks_ == 0 ? work_.tuning.looks_max : looks_;
  purged_ = purged_ == 0 ? work_.tuning.purged_max : purged_;
  const auto looked = [this](const Reply& looks) {
    tended(looks, looks_, work_.tuning.looks_max);
    tend_part(0, purged_, [this, more = says_more(looks)](const Reply& purge) {
      tended(purge, purged_, work_.tuning.purged_max);
      tending_ = false;
      if ((more || says_more(purge)) && !work_.closing.load()) tend();
    });
  };
  tend_part(looks_, 0, looked);
}

void LedgerUpkeep::tend_part(int looks, int events, OneQuery::Done done) {
  OneQuery::send(
      house_, Statement::tend_events, work_.options.operation_timeout,
      [this, looks, events](pq::Params& params) {
        params.number(looks);
        params.number(events);
        params.number(work_.ledger_limits.dead_retention().count());
        params.number(wall_ms());
      },
      std::move(done));
}

bool LedgerUpkeep::says_more(const Reply& reply) {
  return reply.good() && reply.rows() == 1 && reply.row().flag(0);
}

void LedgerUpkeep::tended(const Reply& reply, int& size, int size_max) {
  if (reply.good()) {
    size = std::min(2 * size, size_max);
    return;
  }
  if (!reply.lost) size = std::max(size / 2, 1);
  tell_failed(reply, "upkeep of the ledger");
}

/// A lost connection is told of by the channel.
void LedgerUpkeep::tell_failed(const Reply& reply, std::string_view what) {
  if (reply.good() || reply.lost) return;
  work_.failed(failure_of(reply.sqlstate).kind, std::string(what) + ": " + reply.error);
}

/// Whoever is told reads anew. So nothing depends on a notification.
void LedgerUpkeep::find_left_over() {
  if (std::exchange(finding_, true)) return;
  const auto routes = routes_.all();
  OneQuery::send(
      house_, Statement::left_over, work_.options.operation_timeout,
      [this, routes](pq::Params& params) {
        add_routes(params, *routes);
        params.nonce(work_.instance);
        params.number(work_.tuning.others_patience.count());
        params.flag(liveness_.may_take_over(SteadyClock::now()));
        params.number(orphaned_after().count());
      },
      [this](const Reply& reply) {
        finding_ = false;
        tell_failed(reply, "deliveries that others have left were not looked for");
        if (!reply.good()) return;
        std::vector<std::string> found;
        for (int i = 0; i < reply.rows(); ++i) {
          found.push_back(pq::Row(reply.result.get(), i).text(0));
        }
        tell(found);
      });
}

/// A listener that is down leaves its deliveries for long, and reading them anew finds nothing new:
/// it is told of less and less often.
void LedgerUpkeep::tell(const std::vector<std::string>& left_over) {
  const auto now = SteadyClock::now();
  std::map<std::string, Told> told;
  for (const std::string& listener : left_over) {
    const auto known = told_.find(listener);
    Told next = known == told_.end() ? Told() : known->second;
    if (now >= next.next) {
      watch_.redriven({0, listener});
      next.pause = std::min(std::max(2 * next.pause, work_.tuning.beat), tell_pause_max);
      next.next = now + next.pause;
    }
    told.emplace(listener, next);
  }
  told_ = std::move(told);
}

}  // namespace onceproxy::store
