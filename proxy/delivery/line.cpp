#include "proxy/delivery/line.hpp"

#include <utility>
#include <vector>

#include "proxy/delivery/backoff.hpp"
#include "proxy/telemetry/log.hpp"

namespace onceproxy::delivery {

namespace {

using std::chrono::milliseconds;
using telemetry::LogLevel;

/// The number of pages that are read at once. A long backlog must not delay other listeners.
constexpr int pages_at_once = 4;
/// The number of deliveries of a removed listener that end at once.
constexpr std::size_t removals_at_once = 16;
/// The wait after an attempt that ended with an exception, and after the ledger could not be read.
constexpr milliseconds ask_again_after{1'000};
/// Between two lines of the log that say that the ledger cannot be read.
constexpr std::chrono::minutes unreadable_interval{1};

/// So that the queues are not all read at once.
milliseconds some_part(milliseconds time) {
  return std::chrono::duration_cast<milliseconds>(time * random_share());
}

}  // namespace

Line::Line(LineParts& parts, std::string name, std::shared_ptr<Counts> counts)
    : parts_(parts),
      name_(std::move(name)),
      counts_(std::move(counts)),
      removals_(name_),
      next_reread_(parts.channel.loop.now() + some_part(parts.reread_interval)) {}

/// The counts outlive the line, and its connections end with it.
Line::~Line() {
  counts_->connections = 0;
}

void Line::follow(const Plan::Of& of, std::shared_ptr<http::UpstreamAddress> address,
                  const http::UpstreamShare* share, std::shared_ptr<const http::Setup> setup) {
  const policies::Listener& listener = of.listener;
  const bool moves = channel_ && !channel_->leads_to(address);
  if (moves) begin_anew();
  if (channel_ && !moves) {
    channel_->follow(listener, std::move(setup));
  } else if (share != nullptr) {
    channel_ = std::make_shared<Channel>(parts_.channel, *share, std::move(setup), listener);
  } else {
    channel_ = std::make_shared<Channel>(parts_.channel, std::move(address), listener);
  }
  channel_in_plan_ = true;
  counts_->configured = of.configured;
  concurrency_max_ = listener.concurrency_max;
  pace_.set(listener.rate);
  pump_later();
}

void Line::leave() {
  channel_in_plan_ = false;
  counts_->configured = false;
  concurrency_max_ = removals_at_once;
  pace_.set({});
  begin_anew();
  if (channel_) channel_->pool().close_idle();
  pump_later();
}

/// What was learned from the listener's answers does not apply any more.
void Line::begin_anew() {
  paused_until_ = {};
  circuit_.succeeded();
  queue_.make_all_due();
}

void Line::add_new(const store::Event& event) {
  queue_.add_new({event.number, Queue::Time(), 0, event.entity, false});
  pump_later();
}

void Line::look_again(store::EventNumber event) {
  if (event != 0) queue_.make_due(event);
  queue_.reread();
  pump_later();
}

void Line::read_on() {
  queue_.read_on();
  queue_.reread();
  pump_later();
}

void Line::close_connections() {
  if (channel_) channel_->pool().close_all();
}

/// Due times in the past count as equal, so that waiting rows are taken in the order of their
/// numbers.
Queue::Time Line::due_at(store::WallTime due, Queue::Time now) const {
  const auto left = due - parts_.clock.now();
  return left.count() <= 0 ? Queue::Time() : now + left;
}

/// Reading is tried again after a second. One line a minute is enough.
void Line::tell_unreadable(std::string_view what, std::string_view why, Queue::Time now) {
  if (now < unreadable_told_ + unreadable_interval) return;
  unreadable_told_ = now;
  telemetry::log(LogLevel::error, what, {{"listener", std::string_view(name_)}, {"error", why}});
}

void Line::read_pages(Queue::Time now) {
  if (now < next_read_) return;
  if (parts_.ledger.shared() && now >= next_reread_) {
    next_reread_ = now + parts_.reread_interval;
    queue_.reread();
  }
  for (int page = 0; page < pages_at_once; ++page) {
    const std::size_t wanted = queue_.wants(now);
    if (wanted == 0) return;
    const auto read = parts_.ledger.pending(name_, queue_.after(), wanted);
    const auto* const found = std::get_if<store::PendingPage>(&read);
    if (found == nullptr) {
      next_read_ = now + ask_again_after;
      tell_unreadable("the pending deliveries of a listener cannot be read",
                      std::get<store::Unreadable>(read).why, now);
      return;
    }
    std::vector<Queue::Row> rows;
    rows.reserve(found->items.size());
    for (const store::PendingDelivery& item : found->items) {
      // All deliveries of a removed listener end now, regardless of their due times.
      const Queue::Time due = channel_in_plan_ ? due_at(item.due, now) : Queue::Time();
      rows.push_back({item.event, due, item.attempts, item.entity, channel_in_plan_ && item.held});
    }
    queue_.add_page(rows, found->more, found->reached);
  }
}

bool Line::may_begin(Queue::Time now) {
  // An attempt that was under way when the listener was removed may ask for a pause.
  const bool paused = channel_in_plan_ && paused_until_ > now;
  if (in_flight_ >= concurrency_max_ || pace_.next(now) > now || paused) return false;
  if (!queue_.ready(now)) return false;
  if (!parts_.budget.try_take(in_flight_)) {
    if (!std::exchange(starved_, true)) parts_.starved.push_back(this);
    return false;
  }
  if (!channel_in_plan_ || circuit_.try_begin(now)) return true;
  parts_.budget.give_back();
  return false;
}

void Line::pump() {
  counts_->connections = channel_ ? channel_->connections() : 0;
  const Queue::Time now = parts_.channel.loop.now();
  removals_.tell(now);
  if (parts_.draining) return;
  read_pages(now);
  while (may_begin(now)) {
    const std::optional<Queue::Row> row = queue_.take(now);
    pace_.take(now);
    ++in_flight_;
    counts_->in_flight = in_flight_;
    io::start(deliver(*row));
  }
  counts_->circuit = circuit_.state(now);
}

io::Task<void> Line::deliver(Queue::Row row) {
  Fate fate{false, false, parts_.channel.loop.now() + ask_again_after, row.attempts};
  try {
    fate = co_await attempt(row);
  } catch (const std::exception& error) {
    parts_.channel.metrics.connection_defect(telemetry::unforeseen_exception);
    telemetry::log(LogLevel::error, "delivery failed",
                   {{"listener", std::string_view(name_)}, {"error", error.what()}});
    circuit_.withdrawn();
  }
  finished(row, fate);
}

void Line::finished(const Queue::Row& row, const Fate& fate) {
  if (fate.over) {
    queue_.end(row.event);
  } else if (fate.parked) {
    queue_.park(row.event);
  } else {
    queue_.retry(row.event, fate.due, fate.attempts);
  }
  --in_flight_;
  counts_->in_flight = in_flight_;
  parts_.budget.give_back();
  if (!parts_.starved.empty()) {
    Line& next = *parts_.starved.front();
    parts_.starved.pop_front();
    next.starved_ = false;
    next.pump_later();
  }
  pump_later();
}

}  // namespace onceproxy::delivery
