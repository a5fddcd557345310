#include "proxy/deliveries.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "proxy/cli/tls_files.hpp"
#include "proxy/telemetry/log.hpp"

namespace onceproxy {

namespace {

using delivery::Circuit;

/// Between two lines of the log that say the same of listeners that cannot be used.
constexpr std::chrono::minutes refused_interval{1};

int number(Circuit::State state) {
  switch (state) {
    case Circuit::State::closed:
      return 0;
    case Circuit::State::half_open:
      return 1;
    case Circuit::State::open:
      return 2;
  }
  return 0;
}

}  // namespace

Deliveries::Deliveries(store::Store& store, const store::Clock& clock, telemetry::Metrics& metrics,
                       telemetry::Tracer* tracer, Certificates& certificates)
    : ledger_(*store.ledger()),
      clock_(clock),
      metrics_(metrics),
      certificates_(certificates),
      engine_({}, store, clock, metrics, tracer),
      kept_(store.notes(), ledger_, Clock::now()) {}

void Deliveries::start(const http::UpstreamShare& upstream,
                       const std::shared_ptr<const gate::Rules>& rules,
                       const http::Options& options) {
  engine_.share(upstream);
  configure(rules, options);
  engine_.start();
  metrics_.deliveries([this] { return figures(); });
}

Deliveries::~Deliveries() {
  metrics_.deliveries({});
}

void Deliveries::configure(const std::shared_ptr<const gate::Rules>& rules,
                           const http::Options& options) {
  const std::lock_guard lock(mutex_);
  const std::vector<policies::Policy>& policies = rules->policies().policies();
  const delivery::ListenerLists lists = files_.read(policies);
  use(rules, options, lists);
  files_.adopt(policies, lists);
  refused_.clear();
  rules_ = rules;
  options_ = options;
  put_in_force(lists);
}

void Deliveries::use(const std::shared_ptr<const gate::Rules>& rules, const http::Options& options,
                     const delivery::ListenerLists& lists) {
  const std::vector<policies::Policy>& policies = rules->policies().policies();
  delivery::KeptListeners::Entries kept = kept_.prepare(policies, lists, Clock::now());
  delivery::Engine::Next next =
      engine_.prepare({rules, lists, delivery::KeptListeners::finishing(kept), options,
                       [this](const std::string& name, const policies::ListenerTls& tls) {
                         return certificates_.listener_port("tls of the listener " + name,
                                                            cli::client_options(tls));
                       }});
  Routes routes;
  for (const policies::Policy& policy : policies) {
    if (!policy.delivery) continue;
    const auto of_file = lists.find(policy.name);
    const auto& list = of_file != lists.end() ? of_file->second : policy.delivery->listeners;
    for (const policies::Listener& listener : *list) routes.emplace(policy.name, listener.name);
  }
  const std::shared_ptr<const delivery::Plan> plan = next.plan;
  engine_.configure(std::move(next));
  tell_removed(routes, *plan);
  routes_ = std::move(routes);
  kept_.adopt(std::move(kept));
}

/// An operator who takes a listener away, or renames a policy, learns what that ends.
void Deliveries::tell_removed(const Routes& now, const delivery::Plan& plan) {
  for (const auto& [policy, listener] : routes_) {
    if (now.contains({policy, listener})) continue;
    const bool finishes = plan.route(policy, listener) != nullptr;
    telemetry::log(
        telemetry::LogLevel::warn,
        finishes ? "events of the policy do not go to the listener any more; what is "
                   "pending is finished"
                 : "events of the policy do not go to the listener any more; what is "
                   "pending ends as removed",
        {{"policy", std::string_view(policy)}, {"listener", std::string_view(listener)}});
  }
}

/// The engine knows them: events may be accepted for them.
void Deliveries::put_in_force(const delivery::ListenerLists& lists) {
  for (const policies::Policy& policy : rules_->policies().policies()) {
    const auto list = lists.find(policy.name);
    if (list != lists.end()) rules_->keep_listeners(policy, list->second);
  }
}

void Deliveries::look() {
  const std::lock_guard lock(mutex_);
  const delivery::ListenerLists changed = files_.look();
  const bool finished = kept_.look(Clock::now());
  if (changed.empty() && !finished) return;
  const delivery::ListenerLists& lists = changed.empty() ? files_.in_force() : changed;
  try {
    use(rules_, options_, lists);
  } catch (const std::exception& error) {
    tell_refused(error.what());
    return;
  }
  refused_.clear();
  if (changed.empty()) return;
  files_.adopt(changed);
  put_in_force(changed);
  telemetry::log(telemetry::LogLevel::info, "listeners changed", {});
}

/// They are tried again each second, because what they need may be there then.
void Deliveries::tell_refused(const std::string& why) {
  const Clock::time_point now = Clock::now();
  if (why == refused_ && now < refused_told_ + refused_interval) return;
  refused_ = why;
  refused_told_ = now;
  telemetry::log(telemetry::LogLevel::error,
                 "listeners cannot be used; the previous ones stay active",
                 {{"error", std::string_view(why)}});
}

void Deliveries::drain(std::chrono::milliseconds patience) {
  if (engine_.drain(patience)) return;
  telemetry::log(telemetry::LogLevel::warn,
                 "drain time is over; attempts under way were cut off, and are made again after "
                 "the next start");
}

std::size_t Deliveries::connections() const {
  std::size_t sum = 0;
  for (const auto& [name, counts] : engine_.listeners()) sum += counts->connections;
  return sum;
}

telemetry::DeliveryGauges Deliveries::figures() const {
  const store::LedgerFigures known = ledger_.figures();
  std::map<std::string, telemetry::ListenerGauge, std::less<>> listeners;
  for (const store::ListenerFigures& each : known.listeners) {
    telemetry::ListenerGauge& gauge = listeners[each.listener];
    gauge.pending = each.pending;
    gauge.dead_letters = each.dead;
    gauge.notified = each.notified_total;
    gauge.dead = each.dead_total;
    gauge.cancelled = each.cancelled_total;
    gauge.removed = each.removed_total;
    gauge.retries = each.failed_total;
    if (each.oldest_pending) {
      const std::chrono::duration<double> age = clock_.now() - *each.oldest_pending;
      gauge.oldest_pending_seconds = std::max(0.0, age.count());
    }
  }
  for (const auto& [name, counts] : engine_.listeners()) {
    telemetry::ListenerGauge& gauge = listeners[name];
    gauge.configured = counts->configured;
    gauge.in_flight = counts->in_flight;
    gauge.unrecorded = counts->unrecorded;
    gauge.circuit_opened = counts->circuit_opened;
    gauge.circuit = number(counts->circuit);
  }
  telemetry::DeliveryGauges gauges;
  for (auto& [name, gauge] : listeners) {
    gauge.listener = name;
    gauges.listeners.push_back(std::move(gauge));
  }
  gauges.events_open = known.events_open;
  gauges.payload_bytes = known.payload_bytes;
  gauges.payload_bytes_max = known.payload_bytes_max;
  return gauges;
}

}  // namespace onceproxy
