// Simulation: the rules of store/store.hpp, in memory and in the log's time: which request is let
// through, which is refused, which waits. Expired operations are removed as time advances. A
// request that waits is decided later than one that arrived after it.
//
// It keeps no answer, knows no failures of a store, and none of the limits that protect a process
// (reservations under way, calls that wait, connections).
// Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <unordered_map>

#include "policies/policy.hpp"
#include "proxy/cli/backtest/arrival.hpp"
#include "proxy/cli/backtest/events.hpp"
#include "proxy/gate/decision.hpp"
#include "store/fingerprint.hpp"
#include "store/gcra.hpp"
#include "store/sequence.hpp"

namespace onceproxy::backtest {

class Simulation {
 public:
  using Decide = std::function<void(const policies::Policy&, gate::Decision)>;

  /// `decide` hears of each request once. No more than `entries_max` operations, entities, rate
  /// limits and waiting requests are remembered.
  Simulation(std::size_t entries_max, Decide decide)
      : entries_max_(entries_max), decide_(std::move(decide)) {}

  /// A request at `now`, which never goes back. False: too much is remembered, and the request was
  /// not taken.
  [[nodiscard]] bool arrive(Moment now, Arrival arrival);
  /// The log has ended: decides about those that still wait.
  void finish();

  std::size_t entries() const {
    return records_.size() + entities_.size() + rates_.size() + waiting_count_;
  }

 private:
  using Fingerprint = store::Fingerprint;

  /// The holder of a fingerprint, from the claim until it is settled.
  struct Claim {
    explicit Claim(Arrival made_by) : arrival(std::move(made_by)) {}
    Arrival arrival;
    bool has_turn = false;
    bool forwarded = false;
    /// Another operation ended this one meanwhile: it will not be remembered.
    bool ended = false;
  };
  enum class State : std::uint8_t { none, completed, unknown };
  struct Record {
    std::optional<store::PayloadDigest> payload;
    State state = State::none;
    bool replayable = true;
    Moment lease_ends;
    Moment expires;
    std::unique_ptr<Claim> claim;
  };
  struct Waiting {
    std::uint64_t id;
    Moment until;
    Arrival arrival;
  };
  struct Turn {
    std::uint64_t id;
    Fingerprint fingerprint;
  };
  struct Entity {
    Moment closed_until;
    std::optional<store::Sequence> highest;
    Moment expires;
    bool taken = false;
    bool expiry_awaited = false;
    std::deque<Turn> queue;
  };
  struct Rate {
    store::RateTime arrival;
    bool expiry_awaited = false;
  };

  void run(Moment now);
  void happen(const Event& event);

  /// The steps of a reserve, in the store's order.
  void ask(Moment now, Waiting waiting);
  std::optional<gate::Decision> known(Moment now, const Record& record,
                                      const Arrival& arrival) const;
  void wait(Waiting waiting);
  void take_turn(Moment now, const Fingerprint& fingerprint);
  void proceed(Moment now, const Fingerprint& fingerprint);
  std::optional<gate::Decision> refusal(Moment now, const policies::Operation& operation);
  bool has_token(Moment now, const policies::Operation& operation);

  void settle(Moment now, const Fingerprint& fingerprint);
  void complete(Moment now, Record& record);
  void end(Moment now, const Fingerprint& fingerprint);
  void give_back_token(const policies::Operation& operation);
  /// Ends the claim: the turn and the fingerprint go to waiting requests.
  void leave(Moment now, const Fingerprint& fingerprint);
  void take_over(Moment now, const Fingerprint& fingerprint);
  void next_turn(Moment now, const store::EntityKey& key);
  void wait_over(const Fingerprint& fingerprint, std::uint64_t id);
  void turn_over(Moment now, const store::EntityKey& key, std::uint64_t id);

  void forget_record(Moment now, const Fingerprint& fingerprint);
  void forget_entity(Moment now, const store::EntityKey& key);
  void entity_expired(Moment now, const store::EntityKey& key);
  void forget_rate(Moment now, const store::RateKey& key);

  const std::size_t entries_max_;
  const Decide decide_;
  std::unordered_map<Fingerprint, Record> records_;
  std::unordered_map<Fingerprint, std::deque<Waiting>> waiting_;
  std::size_t waiting_count_ = 0;
  std::unordered_map<store::EntityKey, Entity> entities_;
  std::unordered_map<store::RateKey, Rate> rates_;
  Events events_;
  std::uint64_t next_id_ = 0;
};

}  // namespace onceproxy::backtest
