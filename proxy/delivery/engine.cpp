#include "proxy/delivery/engine.hpp"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <future>
#include <utility>

#include "proxy/telemetry/log.hpp"
#include "proxy/telemetry/tls_metrics.hpp"

namespace onceproxy::delivery {

namespace {

/// How long attempts that were told to end may take to end, as on the data port, before their
/// sockets are closed.
constexpr std::chrono::milliseconds polite_time{500};
constexpr std::chrono::seconds abort_time{5};
/// The loop runs a posted task in far less time.
constexpr std::chrono::seconds adopt_time{5};

/// How long a configuration waits for the names of all its new listeners together.
constexpr std::chrono::milliseconds lookups_time{1'000};

}  // namespace

Engine::Engine(const EngineOptions& options, store::Store& store, const store::Clock& clock,
               telemetry::Metrics& metrics, telemetry::Tracer* tracer)
    : options_(options),
      store_(store),
      metrics_(metrics),
      loop_([this] { tick(); }, [this](bool quiet) { return calls_.end_round(quiet); }),
      calls_(loop_, [&store](store::Loop& loop) { store.submit(loop); }),
      told_waker_(loop_, [this] { take_told(); }),
      parts_{{loop_, calls_, metrics.add_worker(), metrics.tls()},
             *store.ledger(),
             clock,
             EventCache(options.cached_bytes),
             Budget(options.concurrency_max),
             Outcomes(*store.ledger(), calls_),
             tracer != nullptr ? tracer->add_recorder() : nullptr,
             store::AuditPad(store.audit()),
             options.reread_interval,
             nullptr,
             {}} {}

Engine::~Engine() {
  drain(std::chrono::milliseconds(0));
}

Engine::Next Engine::prepare(Wanted wanted) {
  Next next;
  std::vector<Plan::Finishing> finishing;
  for (KeptListener& kept : wanted.finishing) {
    std::string unusable = why_unusable(kept.listener, wanted);
    finishing.push_back({std::move(kept), std::move(unusable)});
  }
  next.plan = std::make_shared<const Plan>(wanted.rules, wanted.lists, finishing);
  const auto lookups_end = std::chrono::steady_clock::now() + lookups_time;
  for (const auto& [name, of] : next.plan->listeners()) {
    if (name != policies::upstream_listener)
      next.destinations[name] = destination(name, of, wanted, lookups_end);
  }
  const http::Endpoint& upstream = wanted.options.upstream.endpoint;
  http::Options to_upstream = wanted.options;
  // A worker that waits for a connection could not close one that is kept here.
  to_upstream.upstream.keepalive_timeout = std::chrono::milliseconds(0);
  next.upstream = std::make_shared<const http::Setup>(http::Setup{
      std::move(to_upstream), std::move(wanted.rules),
      upstream.unix_path.empty() ? upstream.text() : "localhost", http::GuardedFields({})});
  return next;
}

/// Files of a removed listener that cannot be used are not a reason to refuse a configuration.
std::string Engine::why_unusable(const policies::Listener& listener, const Wanted& wanted) {
  if (!listener.tls || !wanted.tls) return {};
  try {
    wanted.tls(listener.name, *listener.tls);
  } catch (const std::exception& error) {
    return error.what();
  }
  return {};
}

/// An unchanged listener keeps its connections and its resolved names. The names of others are
/// looked up; those that are not found by `lookups_end` are found later.
Engine::Next::Destination Engine::destination(const std::string& name, const Plan::Of& of,
                                              const Wanted& wanted,
                                              std::chrono::steady_clock::time_point lookups_end) {
  Next::Destination made;
  const auto& tls = of.listener.tls;
  if (tls && wanted.tls && of.unusable.empty()) made.tls = wanted.tls(name, *tls);
  const http::Endpoint& endpoint = of.listener.address;
  const auto known = destinations_.find(name);
  const bool stays = known != destinations_.end() && known->second.tls == made.tls &&
                     known->second.address->place().endpoint == endpoint;
  if (stays) {
    made.address = known->second.address;
    return made;
  }
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
      lookups_end - std::chrono::steady_clock::now());
  made.address = std::make_shared<http::UpstreamAddress>(
      endpoint, [this] { metrics_.upstream_lookup_failed(); }, made.tls,
      http::UpstreamAddress::Lookups{std::max(left, std::chrono::milliseconds(0)), {}});
  return made;
}

void Engine::configure(Next next) {
  destinations_ = next.destinations;
  std::vector<store::DeliveryRoute> routes = next.plan->routes();
  if (!thread_.joinable()) {
    parts_.ledger.follow(routes);
    routes_ = std::move(routes);
    adopt(next);
    return;
  }
  // Until the lines have the new plan, what is attempted must be in both: a delivery whose route
  // the plan does not have would end as removed.
  std::vector<store::DeliveryRoute> both;
  for (const store::DeliveryRoute& route : routes) {
    if (std::ranges::find(routes_, route) != routes_.end()) both.push_back(route);
  }
  parts_.ledger.follow(std::move(both));
  const auto adopted = std::make_shared<std::promise<void>>();
  std::future<void> done = adopted->get_future();
  loop_.post([this, next = std::move(next), adopted] {
    adopt(next);
    adopted->set_value();
  });
  if (done.wait_for(adopt_time) != std::future_status::ready) {
    telemetry::log(telemetry::LogLevel::warn,
                   "deliveries have not taken the new configuration yet");
  }
  parts_.ledger.follow(routes);
  routes_ = std::move(routes);
}

void Engine::adopt(const Next& next) {
  parts_.plan = next.plan;
  for (const auto& [name, of] : next.plan->listeners()) {
    Line& each = line(name);
    if (name == policies::upstream_listener) {
      each.follow(of, nullptr, &*upstream_, next.upstream);
    } else {
      each.follow(of, next.destinations.at(name).address, nullptr, nullptr);
    }
  }
  for (const auto& [name, each] : lines_) {
    if (!next.plan->listeners().contains(name)) each->leave();
  }
  parts_.budget.set_listeners(lines_.size());
}

Line& Engine::line(const std::string& name) {
  std::unique_ptr<Line>& found = lines_[name];
  if (found) return *found;
  std::shared_ptr<Counts> counts;
  {
    const std::lock_guard lock(counts_mutex_);
    std::shared_ptr<Counts>& kept = counts_[name];
    if (!kept) kept = std::make_shared<Counts>();
    counts = kept;
  }
  found = std::make_unique<Line>(parts_, name, std::move(counts));
  // The configuration does not name this listener: its pending deliveries end as removed.
  found->leave();
  parts_.budget.set_listeners(lines_.size());
  return *found;
}

void Engine::start() {
  parts_.ledger.watch(this);
  for (const std::string& name : parts_.ledger.listeners_with_pending()) line(name);
  running_ = true;
  // The main thread handles signals.
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void Engine::run() {
  ::pthread_setname_np(::pthread_self(), "deliveries");
  loop_.run();
  parts_.audit.hand_over();
  if (parts_.recorder) parts_.recorder->flush();
  store_.leave(calls_);
  const std::lock_guard lock(ended_mutex_);
  running_ = false;
  ended_.notify_all();
}

void Engine::tick() {
  ticked_.store(std::chrono::steady_clock::now(), std::memory_order_relaxed);
  parts_.outcomes.tick(loop_.now());
  if (parts_.recorder) parts_.recorder->flush();
  parts_.audit.hand_over();
  if (parts_.aborting) {
    loop_.deadlines().expire_all();
    if (loop_.now() - aborting_since_ >= polite_time) {
      for (const auto& [name, each] : lines_) each->close_connections();
    }
  }
  for (auto it = lines_.begin(); it != lines_.end();) {
    Line& each = *it->second;
    if (each.idle() && parts_.starved.empty()) {
      it = lines_.erase(it);
      continue;
    }
    each.pump_later();
    ++it;
  }
  stop_when_drained();
}

void Engine::stop_when_drained() {
  if (!parts_.draining || parts_.outcomes.busy()) return;
  bool quiet = true;
  for (const auto& [name, each] : lines_) {
    // Aborted attempts return their turns when the upstream has noticed, or now.
    if (each->in_flight() == 0) each->stop_abandoned();
    quiet = quiet && each->quiet();
  }
  if (quiet) loop_.stop();
}

void Engine::stored(std::shared_ptr<const store::Event> event,
                    std::span<const std::string> listeners) noexcept {
  {
    const std::lock_guard lock(told_mutex_);
    const std::size_t bytes = told_.bytes + event->head.size() + event->body.size();
    // After one that did not fit none is kept, because it may be of the same entity.
    told_.lost = told_.lost || told_.stored.size() >= options_.told_max ||
                 bytes > options_.told_bytes_max || !told_.add(std::move(event), listeners);
    if (!told_.lost) told_.bytes = bytes;
  }
  told_waker_.wake();
}

bool Engine::Told::add(std::shared_ptr<const store::Event> event,
                       std::span<const std::string> listeners) {
  try {
    stored.emplace_back(std::move(event),
                        std::vector<std::string>(listeners.begin(), listeners.end()));
    return true;
  } catch (const std::bad_alloc&) {
    return false;
  }
}

void Engine::redriven(const store::DeliveryKey& key) noexcept {
  {
    const std::lock_guard lock(told_mutex_);
    try {
      told_.redriven.push_back(key);
    } catch (const std::bad_alloc&) {
      told_.lost = true;
    }
  }
  told_waker_.wake();
}

void Engine::take_told() {
  Told told;
  std::vector<Asked> asked;
  {
    const std::lock_guard lock(told_mutex_);
    std::swap(told, told_);
    std::swap(asked, asked_);
  }
  for (auto& [event, listeners] : told.stored) {
    for (const std::string& name : listeners) line(name).add_new(*event);
    parts_.events.put(std::move(event));
  }
  for (const store::DeliveryKey& key : told.redriven) line(key.listener).look_again(key.event);
  if (told.lost) read_all();
  for (const Asked& each : asked) {
    parts_.outcomes.add(each.fingerprint, each.how, *each.call, loop_.now());
  }
}

/// There are events that the engine was not told of. Later ones must not be sent before them.
void Engine::read_all() {
  for (const std::string& name : parts_.ledger.listeners_with_pending()) line(name);
  for (const auto& [name, each] : lines_) each->read_on();
}

bool Engine::wait(const store::Fingerprint& fingerprint, const policies::Acknowledge& how,
                  store::Call<gate::Acknowledged>& call) {
  {
    const std::lock_guard lock(told_mutex_);
    if (stopped_) {
      call.result.emplace();
      return true;
    }
    asked_.push_back({fingerprint, how, &call});
  }
  told_waker_.wake();
  return false;
}

void Engine::end_waits() {
  {
    const std::lock_guard lock(told_mutex_);
    stopped_ = true;
  }
  loop_.post([this] {
    take_told();
    parts_.outcomes.end_all();
  });
}

bool Engine::drain(std::chrono::milliseconds patience) {
  if (!thread_.joinable()) return true;
  parts_.ledger.watch(nullptr);
  end_waits();
  loop_.post([this] { parts_.draining = true; });
  std::unique_lock lock(ended_mutex_);
  const auto ended = [this] { return !running_; };
  const bool clean = ended_.wait_for(lock, patience, ended);
  if (!clean) {
    loop_.post([this] {
      aborting_since_ = loop_.now();
      parts_.aborting = true;
    });
    ended_.wait_for(lock, abort_time, ended);
  }
  lock.unlock();
  thread_.join();
  return clean;
}

std::vector<std::pair<std::string, std::shared_ptr<const Counts>>> Engine::listeners() const {
  const std::lock_guard lock(counts_mutex_);
  return {counts_.begin(), counts_.end()};
}

}  // namespace onceproxy::delivery
