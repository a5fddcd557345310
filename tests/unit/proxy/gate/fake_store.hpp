// A store that answers what a test tells it to, at once or when the test lets it.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "store/lease_watch.hpp"
#include "store/store.hpp"

namespace onceproxy::gate::testing {

/// Runs what is delivered on the delivering thread.
class DirectLoop final : public store::Loop {
 public:
  void deliver(store::CallBase* first) noexcept override {
    while (first != nullptr) {
      store::CallBase& call = *std::exchange(first, first->next);
      call.resume(call);
    }
  }
};

class FakeStore final : public store::Store {
 public:
  /// One verb as it was called.
  struct Asked {
    std::string verb;
    store::Fingerprint fingerprint;
    std::optional<store::PayloadDigest> payload;
    std::optional<store::EarlierDigests> earlier;
    store::Terms terms;
    std::string policy, request_id, trace_id, trace, error;
    int status = 0;
    /// Its views have ended.
    std::optional<store::EntityTerms> entity;
    std::string entity_type, entity_id;
    std::optional<store::RateTerms> rate;
    std::chrono::milliseconds wait{0};
    std::size_t bytes_kept = 0;
    store::StoredAnswer answer;
    std::vector<store::Fingerprint> ends;
    /// Of the event that is to be stored; without listeners there is none.
    std::vector<std::string> listeners;
    std::string method, target, head, body;
    bool keep_dead = false;
  };

  /// False: the answer waits for answer_now().
  bool at_once = true;
  /// What reserve answers; a permit is made where it is absent.
  std::optional<store::ReserveResult> result;
  std::uint32_t attempt = 1;
  std::chrono::nanoseconds turn_wait{-1};
  store::Settled settled = store::Settled::done;

  std::optional<store::WallTime> since;

  /// Whether each lease has ended when it is first watched.
  bool leases_ended = false;
  /// The leases have ended, and nobody was told yet.
  bool leases_ended_untold = false;

  std::vector<Asked> asked;
  int permits_dropped = 0;

  void answer_now() {
    store::CallBase* call = std::exchange(waiting_, nullptr);
    call->next = nullptr;
    loop_->deliver(call);
  }
  bool somebody_waits() const { return waiting_ != nullptr; }

  /// Whether leases end when the test says so.
  bool leases_may_end_later = false;
  void end_lease() {
    if (const auto there = watched_.lock()) there->lease_ended();
  }

  bool leases_may_end() const override {
    return leases_ended || leases_ended_untold || leases_may_end_later;
  }
  void watch_lease(const store::Permit&, store::Loop&,
                   std::weak_ptr<store::LeaseWatch> watch) override {
    watched_ = std::move(watch);
    if (leases_ended) end_lease();
  }
  bool holds(const store::Permit&) const override { return !leases_ended && !leases_ended_untold; }

  store::Permit permit(const store::Fingerprint& fingerprint) {
    return store::Permit(*this, fingerprint, {1, 2, 3}, 42);
  }

  bool reserve(const store::ReserveRequest& request,
               store::Call<store::ReserveResult>& call) override {
    Asked& entry = note("reserve", request.fingerprint);
    entry.payload = request.payload;
    entry.earlier = request.earlier;
    entry.terms = request.terms;
    entry.policy = request.policy;
    entry.request_id = request.request_id;
    entry.trace_id = request.trace_id;
    entry.trace = request.trace;
    entry.entity = request.entity;
    if (request.entity) {
      entry.entity_type = request.entity->type;
      entry.entity_id = request.entity->id;
    }
    entry.rate = request.rate;
    entry.wait = request.wait;
    entry.bytes_kept = request.bytes_kept;
    if (const store::EventDraft* const event = request.event) {
      entry.listeners.assign(event->listeners.begin(), event->listeners.end());
      entry.method = event->method;
      entry.target = event->target;
      entry.head = event->head;
      entry.body = event->body;
      entry.answer = event->acknowledgement;
      entry.ends.assign(event->ends.begin(), event->ends.end());
      entry.keep_dead = event->keep_dead;
    }
    call.turn_wait = turn_wait;
    if (result) {
      call.result = std::exchange(result, std::nullopt);
    } else {
      call.result.emplace(store::Reserved{permit(request.fingerprint), attempt});
    }
    return finish(call);
  }
  bool complete(store::Permit permit, store::StoredAnswer answer,
                std::span<const store::Fingerprint> ends,
                store::Call<store::Settled>& call) override {
    Asked& noted = note("complete", permit.fingerprint());
    noted.answer = std::move(answer);
    noted.ends.assign(ends.begin(), ends.end());
    return settle(permit, call);
  }
  bool release(store::Permit permit, const store::NotDone& why,
               store::Call<store::Settled>& call) override {
    Asked& noted = note("release", permit.fingerprint());
    noted.status = why.status;
    noted.error = why.error;
    return settle(permit, call);
  }
  bool mark_unknown(store::Permit permit, std::string_view error,
                    store::Call<store::Settled>& call) override {
    note("mark_unknown", permit.fingerprint()).error = error;
    return settle(permit, call);
  }
  std::optional<store::WallTime> digests_since() const override { return since; }
  void dropped(const store::Permit&) noexcept override { ++permits_dropped; }

 private:
  Asked& note(std::string verb, const store::Fingerprint& fingerprint) {
    asked.emplace_back();
    asked.back().verb = std::move(verb);
    asked.back().fingerprint = fingerprint;
    return asked.back();
  }
  bool settle(store::Permit& permit, store::Call<store::Settled>& call) {
    permit.use();
    call.result = settled;
    return finish(call);
  }
  template <typename Result>
  bool finish(store::Call<Result>& call) {
    if (at_once) return true;
    waiting_ = &call;
    loop_ = &call.loop;
    return false;
  }

  std::weak_ptr<store::LeaseWatch> watched_;
  store::CallBase* waiting_ = nullptr;
  store::Loop* loop_ = nullptr;
};

}  // namespace onceproxy::gate::testing
