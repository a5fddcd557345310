// Line: the deliveries to one listener: their queue, the limits of concurrency and rate, the
// circuit, and the attempts themselves. Lines do not depend on each other, so one does not delay
// another. They share the budget of attempts, in which each has a reserved share.
//
// Not thread-safe: used on the engine's loop.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "proxy/delivery/attempt_call.hpp"
#include "proxy/delivery/budget.hpp"
#include "proxy/delivery/channel.hpp"
#include "proxy/delivery/circuit.hpp"
#include "proxy/delivery/counts.hpp"
#include "proxy/delivery/event_cache.hpp"
#include "proxy/delivery/outcomes.hpp"
#include "proxy/delivery/pace.hpp"
#include "proxy/delivery/plan.hpp"
#include "proxy/delivery/queue.hpp"
#include "proxy/delivery/removals.hpp"
#include "proxy/io/event_loop.hpp"
#include "proxy/telemetry/tracer.hpp"
#include "store/audit/pad.hpp"
#include "store/clock.hpp"
#include "store/ledger.hpp"

namespace onceproxy::delivery {

class Line;

/// Shared by the lines of an engine; must outlive them.
struct LineParts {
  Channel::Parts channel;
  store::Ledger& ledger;
  const store::Clock& clock;
  EventCache events;
  Budget budget;
  Outcomes outcomes;
  /// nullptr if tracing is off.
  std::unique_ptr<telemetry::Tracer::Recorder> recorder;
  /// Entries of the audit log for deliveries that were given up.
  store::AuditPad audit;
  /// EngineOptions::reread_interval.
  std::chrono::milliseconds reread_interval;
  /// The active configuration; read when an attempt begins.
  std::shared_ptr<const Plan> plan;
  /// The lines that could begin an attempt if the budget allowed it, in order.
  std::deque<Line*> starved;
  /// If true, no more attempts begin.
  bool draining = false;
  /// If true, attempts under way are aborted, and their results are not recorded.
  bool aborting = false;
};

class Line final : io::EventLoop::Deferred {
 public:
  Line(LineParts& parts, std::string name, std::shared_ptr<Counts> counts);
  ~Line();

  const std::string& name() const { return name_; }

  /// The plan contains this listener. `address` is nullptr for the upstream; in this case `share`
  /// and `setup` are the upstream's.
  void follow(const Plan::Of& of, std::shared_ptr<http::UpstreamAddress> address,
              const http::UpstreamShare* share, std::shared_ptr<const http::Setup> setup);
  /// The plan no longer contains this listener: its pending deliveries end as removed.
  void leave();

  void add_new(const store::Event& event);
  /// A delivery may be pending that the queue has already passed or was not told about, or that of
  /// `event` has changed; 0: not that of a certain event.
  void look_again(store::EventNumber event);

  /// There may be new deliveries that the queue was not told about, before those that it will be
  /// told about next.
  void read_on();

  /// Begins all deliveries that may begin now.
  void pump();
  /// Calls pump() when the current events of the loop have been handled.
  void pump_later() { parts_.channel.loop.defer(*this); }

  bool idle() const { return quiet() && queue_.idle() && !channel_in_plan_ && removals_.told(); }
  /// No attempt is under way, and no turn is held for an abandoned request.
  bool quiet() const {
    return in_flight_ == 0 && (channel_ == nullptr || channel_->pool().abandoned() == 0);
  }
  /// Ends abandoned requests, a little later.
  void stop_abandoned() {
    if (channel_) channel_->pool().stop_abandoned();
  }
  std::size_t in_flight() const { return in_flight_; }
  void close_connections();

 private:
  /// What happens to a row after its attempt.
  struct Fate {
    /// The delivery has ended.
    bool over = true;
    /// The delivery waits for an operator.
    bool parked = false;
    Queue::Time due{};
    std::uint32_t attempts = 0;
  };

  void run() override { pump(); }
  void begin_anew();
  bool may_begin(Queue::Time now);
  void read_pages(Queue::Time now);
  void tell_unreadable(std::string_view what, std::string_view why, Queue::Time now);
  Queue::Time due_at(store::WallTime due, Queue::Time now) const;
  io::Task<void> deliver(Queue::Row row);
  io::Task<Fate> attempt(const Queue::Row& row);
  io::Task<Fate> send(store::Attempt attempt, std::shared_ptr<const store::Event> event,
                      Route route);
  io::Task<Fate> end(store::Attempt attempt, store::AttemptEnd how, std::string error,
                     std::uint32_t attempts);
  void judge(const AttemptCall& call, const Route& route, std::uint32_t number,
             store::AttemptEnd& how, std::string& error);
  void note_given_up(const store::Event& event, const store::AttemptEnd& how,
                     std::string_view error);
  void note_unrecorded(const store::DeliveryKey& key, const store::BeginResult& begun);
  void pause(std::chrono::seconds time, int status);
  void withdraw();
  void note_circuit(const AttemptCall& call, bool to_upstream);
  std::chrono::milliseconds delay_after(const AttemptCall& call, const Route& route,
                                        std::uint32_t number);
  void finished(const Queue::Row& row, const Fate& fate);

  LineParts& parts_;
  const std::string name_;
  const std::shared_ptr<Counts> counts_;
  Queue queue_;
  Circuit circuit_;
  Pace pace_;
  Removals removals_;
  /// Until this time no delivery begins, because the listener has sent Retry-After.
  Queue::Time paused_until_{};
  /// The events whose last attempt had a result that the ledger has not confirmed. There are no
  /// more than attempts were under way when the store failed.
  std::set<store::EventNumber> unrecorded_;
  /// When everything is read again, in a shared ledger.
  Queue::Time next_reread_;
  /// No page is read before this time, because the last one could not be.
  Queue::Time next_read_{};
  /// When the log was told of that last.
  Queue::Time unreadable_told_{};
  /// An attempt keeps the channel with which it began.
  std::shared_ptr<Channel> channel_;
  bool channel_in_plan_ = false;
  std::size_t concurrency_max_ = 1;
  std::size_t in_flight_ = 0;
  bool starved_ = false;
};

}  // namespace onceproxy::delivery
