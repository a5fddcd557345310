#include "proxy/telemetry/worker_metrics.hpp"

#include <algorithm>

namespace onceproxy::telemetry {

bool is_label_word(std::string_view word) {
  return !word.empty() && word.size() <= 40 && std::all_of(word.begin(), word.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

void WordCounters::add(std::string_view word) {
  constexpr std::string_view other = "other";
  const std::size_t used = used_.load(std::memory_order_relaxed);
  for (std::size_t i = 0; i < used; ++i) {
    if (entries_[i].word != word) continue;
    add_alone(entries_[i].count, std::uint64_t{1});
    return;
  }
  if (word != other && (used + 1 >= words_max || !is_label_word(word))) return add(other);
  entries_[used].word = word;
  entries_[used].count.store(1, std::memory_order_relaxed);
  used_.store(used + 1, std::memory_order_release);
}

WorkerCounters::WorkerCounters() {
  add_policy(no_policy);
}

void WorkerCounters::add_policy(PolicyId id) {
  owned_.push_back(std::make_unique<PolicyCounters>());
  policies[id].store(owned_.back().get(), std::memory_order_release);
}

WorkerMetrics::WorkerMetrics() : state_(std::make_unique<State>()) {}
WorkerMetrics::~WorkerMetrics() = default;

void WorkerMetrics::request(PolicyId policy, gate::Decision decision,
                            std::chrono::nanoseconds duration) {
  state_->of(policy).requests[static_cast<std::size_t>(decision)].observe(duration.count());
}

void WorkerMetrics::shadow(PolicyId policy, gate::Decision decision) {
  add_alone(state_->of(policy).shadow[static_cast<std::size_t>(decision)], std::uint64_t{1});
}

void WorkerMetrics::unprotected(PolicyId policy, Unprotected reason) {
  add_alone(state_->of(policy).unprotected[static_cast<std::size_t>(reason)], std::uint64_t{1});
}

void WorkerMetrics::near_miss(PolicyId policy, NearMiss reason) {
  add_alone(state_->of(policy).near_misses[static_cast<std::size_t>(reason)], std::uint64_t{1});
}

void WorkerMetrics::upstream(PolicyId policy, int status, std::chrono::nanoseconds duration) {
  PolicyCounters& counters = state_->of(policy);
  const std::size_t code_class =
      status >= 100 && status <= 599 ? static_cast<std::size_t>(status) / 100 : 0;
  add_alone(counters.upstream[code_class], std::uint64_t{1});
  counters.upstream_time.observe(duration.count());
}

void WorkerMetrics::latency_added(PolicyId policy, std::chrono::nanoseconds duration) {
  state_->of(policy).latency_added.observe(duration.count());
}

void WorkerMetrics::reservation(PolicyId policy, int change) {
  add_alone(state_->of(policy).reservations, std::int64_t{change});
}

void WorkerMetrics::operation(PolicyId policy, Ending ending) {
  add_alone(state_->of(policy).operations[static_cast<std::size_t>(ending)], std::uint64_t{1});
}

void WorkerMetrics::lease_expired(PolicyId policy) {
  add_alone(state_->of(policy).leases_expired, std::uint64_t{1});
}

void WorkerMetrics::permit_refused(PolicyId policy) {
  add_alone(state_->of(policy).permits_refused, std::uint64_t{1});
}

void WorkerMetrics::duplicate(PolicyId policy, std::chrono::nanoseconds age) {
  state_->of(policy).duplicate_age.observe(
      std::chrono::duration_cast<std::chrono::milliseconds>(age).count());
}

void WorkerMetrics::entity_wait(PolicyId policy, std::chrono::nanoseconds duration) {
  state_->of(policy).entity_wait.observe(duration.count());
}

void WorkerMetrics::bad_request(std::string_view reason) {
  state_->bad_requests.add(reason);
}

void WorkerMetrics::idle_connection(int change) {
  add_alone(state_->idle_connections, std::int64_t{change});
}

void WorkerMetrics::connection_defect(std::string_view kind) {
  state_->connection_defects.add(kind);
}

void WorkerMetrics::twins_dropped(std::size_t fields) {
  add_alone(state_->twins_dropped, std::uint64_t{fields});
}

void WorkerMetrics::connection(Side side, int change) {
  add_alone(state_->connections[static_cast<std::size_t>(side)], std::int64_t{change});
}

void WorkerMetrics::buffered(Buffered what, std::int64_t change) {
  add_alone(state_->buffered[static_cast<std::size_t>(what)], change);
}

void WorkerMetrics::shed(Buffered what) {
  add_alone(state_->shed[static_cast<std::size_t>(what)], std::uint64_t{1});
}

void WorkerMetrics::abandoned(int change) {
  add_alone(state_->abandoned, std::int64_t{change});
}

void WorkerMetrics::abandoned_ended(AbandonedEnd end) {
  add_alone(state_->abandoned_ended[static_cast<std::size_t>(end)], std::uint64_t{1});
}

void WorkerMetrics::reuse_lost() {
  add_alone(state_->reuses_lost, std::uint64_t{1});
}

void WorkerMetrics::accept_error() {
  add_alone(state_->accept_errors, std::uint64_t{1});
}

}  // namespace onceproxy::telemetry
