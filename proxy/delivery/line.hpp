// Line: one listener's deliveries: its queue, how many may go at once and how fast, its circuit,
// and the attempts themselves. Lines know nothing of each other, so none delays another; what they
// share is the budget of attempts in all, of which each has a share of its own.
//
// Not thread-safe: the engine's loop.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "proxy/delivery/budget.hpp"
#include "proxy/delivery/channel.hpp"
#include "proxy/delivery/circuit.hpp"
#include "proxy/delivery/counts.hpp"
#include "proxy/delivery/event_cache.hpp"
#include "proxy/delivery/exchange.hpp"
#include "proxy/delivery/outcomes.hpp"
#include "proxy/delivery/pace.hpp"
#include "proxy/delivery/plan.hpp"
#include "proxy/delivery/queue.hpp"
#include "proxy/io/event_loop.hpp"
#include "proxy/telemetry/tracer.hpp"
#include "store/audit/pad.hpp"
#include "store/clock.hpp"
#include "store/ledger.hpp"

namespace onceproxy::delivery {

class Line;

/// What the lines of an engine share; outlives them.
struct LineParts {
  Channel::Parts channel;
  store::Ledger& ledger;
  const store::Clock& clock;
  EventCache events;
  Budget budget;
  Outcomes outcomes;
  /// nullptr: nothing is traced.
  std::unique_ptr<telemetry::Tracer::Recorder> recorder;
  /// What was given up.
  store::AuditPad audit;
  /// In force; looked at as each attempt begins.
  std::shared_ptr<const Plan> plan;
  /// Those that could go on if the budget had room, in order.
  std::deque<Line*> starved;
  /// No attempt begins any more.
  bool draining = false;
  /// Attempts under way are cut off, and left unrecorded.
  bool aborting = false;
};

class Line final : io::EventLoop::Deferred {
 public:
  Line(LineParts& parts, std::string name, std::shared_ptr<Counts> counts);

  const std::string& name() const { return name_; }

  /// The configuration names it. `address`: null for the upstream's, which `share` and `setup` are
  /// of.
  void follow(const policies::Listener& listener, std::shared_ptr<http::UpstreamAddress> address,
              const http::UpstreamShare* share, std::shared_ptr<const http::Setup> setup);
  /// It does not any more: what is pending ends as removed.
  void leave();

  void add_new(const store::Event& event);
  /// Something is pending whose number may have been read already, or was not told.
  void look_again();

  /// Begins what may begin now.
  void pump();
  /// The same, once the events at hand are dealt with.
  void pump_later() { parts_.channel.loop.defer(*this); }

  bool idle() const { return quiet() && queue_.idle() && !channel_in_plan_; }
  /// Nothing of it is under way, nor kept for a request that nobody waits for any more.
  bool quiet() const {
    return in_flight_ == 0 && (channel_ == nullptr || channel_->pool().abandoned() == 0);
  }
  /// What nobody waits for any more ends, a little later.
  void stop_abandoned() {
    if (channel_) channel_->pool().stop_abandoned();
  }
  std::size_t in_flight() const { return in_flight_; }
  void close_connections();

 private:
  /// What becomes of a row that was taken.
  struct Fate {
    /// It will not go again.
    bool over = true;
    /// It waits for an operator.
    bool parked = false;
    Queue::Time due{};
    std::uint32_t attempts = 0;
  };

  void run() override { pump(); }
  bool may_begin(Queue::Time now);
  void read_pages(Queue::Time now);
  Queue::Time due_at(store::WallTime due, Queue::Time now) const;
  io::Task<void> deliver(Queue::Row row);
  io::Task<Fate> attempt(const Queue::Row& row);
  io::Task<Fate> send(store::Attempt attempt, std::shared_ptr<const store::Event> event,
                      Route route);
  io::Task<Fate> end(store::Attempt attempt, store::AttemptEnd how, std::string error,
                     std::uint32_t attempts);
  void judge(const Exchange& exchange, const Route& route, std::uint32_t number,
             store::AttemptEnd& how, std::string& error);
  void note_given_up(const store::Event& event, const store::AttemptEnd& how,
                     std::string_view error);
  void note_circuit(const Exchange& exchange, bool to_upstream);
  std::chrono::milliseconds delay_after(const Exchange& exchange, const Route& route,
                                        std::uint32_t number);
  void finished(const Queue::Row& row, const Fate& fate);

  LineParts& parts_;
  const std::string name_;
  const std::shared_ptr<Counts> counts_;
  Queue queue_;
  Circuit circuit_;
  Pace pace_;
  /// The listener asked to be left alone until then.
  Queue::Time paused_until_{};
  /// Attempts keep the one that they began with.
  std::shared_ptr<Channel> channel_;
  bool channel_in_plan_ = false;
  std::size_t concurrency_max_ = 1;
  std::size_t in_flight_ = 0;
  bool starved_ = false;
};

}  // namespace onceproxy::delivery
