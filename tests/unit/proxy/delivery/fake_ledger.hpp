// A ledger in memory, and the store that has it: everything is answered at once.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "store/ledger.hpp"
#include "store/store.hpp"

namespace onceproxy::delivery::testing {

class FakeLedger final : public store::Ledger, private store::AttemptOwner {
 public:
  struct Row {
    store::DeliveryView view;
    std::optional<store::EntityKey> entity;
    bool taken = false;
    bool closed = false;
  };

  /// Stores an event for these listeners, and tells of it.
  store::EventNumber add(const std::vector<std::string>& listeners, const std::string& body,
                         std::optional<store::EntityKey> entity = std::nullopt) {
    auto event = std::make_shared<store::Event>();
    {
      const std::lock_guard lock(mutex_);
      event->number = ++last_;
      event->fingerprint.bytes[0] = static_cast<std::uint8_t>(last_);
      event->fingerprint.bytes[1] = static_cast<std::uint8_t>(last_ >> 8);
      event->policy = "orders";
      event->entity = entity;
      event->method = "POST";
      event->target = "/orders";
      event->head = "Host: shop.example\r\n";
      event->body = body;
      events_[last_] = event;
      for (const std::string& listener : listeners) {
        Row& row = rows_[{last_, listener}];
        row.view.key = {last_, listener};
        row.view.fingerprint = event->fingerprint;
        row.entity = entity;
      }
    }
    const std::lock_guard lock(watch_mutex_);
    if (watch_ != nullptr) watch_->stored(event, listeners);
    return event->number;
  }
  /// begin() cancels what is pending of the entity from now on.
  void close(const store::EntityKey& entity) {
    const std::lock_guard lock(mutex_);
    for (auto& [key, row] : rows_) row.closed = row.closed || row.entity == entity;
  }
  /// Another process has ended it.
  void end_elsewhere(const store::DeliveryKey& key, store::DeliveryState state) {
    const std::lock_guard lock(mutex_);
    rows_.at(key).view.state = state;
  }
  bool shared() const override { return is_shared; }
  bool is_shared = false;
  /// So many ends are not kept.
  std::atomic<int> ends_lost{0};
  /// So many attempts were begun, and given back without an end.
  std::atomic<int> given_back{0};
  /// How often events() was called.
  std::size_t reads = 0;
  /// What is begun is nobody's.
  std::atomic<bool> orphans{false};
  /// Another process may have what is attempted here.
  std::atomic<bool> lapses{false};
  /// Called by the thread that has read a page, before it gets the page.
  std::function<void()> after_read;
  /// Pending deliveries cannot be counted, as where there are millions.
  bool uncounted = false;
  /// What begin_due() says once of a delivery.
  void say_later(const store::DeliveryKey& key, const store::Later& later) {
    const std::lock_guard lock(mutex_);
    later_[key] = later;
  }
  store::DeliveryView view(store::EventNumber event, const std::string& listener) const {
    const std::lock_guard lock(mutex_);
    return rows_.at({event, listener}).view;
  }
  std::size_t count(store::DeliveryState state) const {
    const std::lock_guard lock(mutex_);
    return static_cast<std::size_t>(std::ranges::count_if(
        rows_, [&](const auto& each) { return each.second.view.state == state; }));
  }

  std::variant<store::PendingPage, store::Unreadable> pending(std::string_view listener,
                                                              store::EventNumber after,
                                                              std::size_t limit) override {
    store::PendingPage page = page_of(listener, after, limit);
    if (after_read) after_read();
    return page;
  }
  std::vector<std::string> listeners_with_pending() const override {
    const std::lock_guard lock(mutex_);
    std::set<std::string> names;
    for (const auto& [key, row] : rows_) {
      if (!is_ended(row.view.state)) names.insert(key.listener);
    }
    return {names.begin(), names.end()};
  }
  std::variant<std::shared_ptr<const store::Event>, store::Unreadable> event(
      store::EventNumber number) override {
    const std::lock_guard lock(mutex_);
    const auto found = events_.find(number);
    return found == events_.end() ? nullptr : found->second;
  }

  bool begin(const store::DeliveryKey& key, store::Call<store::BeginResult>& call) override {
    const std::lock_guard lock(mutex_);
    const auto found = rows_.find(key);
    if (found == rows_.end() || is_ended(found->second.view.state)) {
      call.result.emplace(store::NotPending{});
    } else if (found->second.taken) {
      call.result.emplace(store::Taken{});
    } else if (found->second.closed) {
      found->second.view.state = store::DeliveryState::cancelled;
      call.result.emplace(store::Cancelled{});
    } else {
      found->second.taken = true;
      call.result.emplace(
          store::Attempt(*this, key, found->second.view.attempts + 1, std::nullopt, orphans));
    }
    return true;
  }
  bool begin_due(const store::DeliveryKey& key, store::Call<store::BeginResult>& call) override {
    {
      const std::lock_guard lock(mutex_);
      const auto found = later_.find(key);
      if (found != later_.end()) {
        call.result.emplace(found->second);
        later_.erase(found);
        return true;
      }
    }
    return begin(key, call);
  }
  void limit(const store::LedgerOptions&) override {}
  bool end(store::Attempt attempt, const store::AttemptEnd& how,
           store::Call<store::Settled>& call) override {
    attempt.use();
    const std::lock_guard lock(mutex_);
    Row& row = rows_.at(attempt.key());
    row.taken = false;
    if (ends_lost > 0) {
      --ends_lost;
      call.result = store::Settled::failed;
      return true;
    }
    row.view.state = how.state;
    row.view.held = how.held;
    row.view.status = how.status;
    row.view.error = how.error;
    row.view.due = how.due;
    if (how.attempted) row.view.attempts = attempt.number();
    call.result = store::Settled::done;
    return true;
  }
  bool acknowledge(store::EventNumber, store::StoredAnswer,
                   store::Call<store::Settled>& call) override {
    call.result = store::Settled::done;
    return true;
  }
  bool redrive(const store::DeliveryKey& key, store::Call<store::Redriven>& call) override {
    {
      const std::lock_guard lock(mutex_);
      Row& row = rows_.at(key);
      row.view.state = store::DeliveryState::pending;
      row.view.held = false;
      row.view.attempts = 0;
      row.view.due.reset();
    }
    call.result = store::Redriven::done;
    const std::lock_guard lock(watch_mutex_);
    if (watch_ != nullptr) watch_->redriven(key);
    return true;
  }
  bool drop(const store::DeliveryKey&, std::string_view, store::Call<store::Changed>&) override {
    return false;
  }
  std::variant<std::vector<store::EventView>, store::Unreadable> events(
      const store::Fingerprint& fingerprint, std::size_t) override {
    const std::lock_guard lock(mutex_);
    ++reads;
    store::EventView view;
    for (const auto& [key, row] : rows_) {
      if (row.view.fingerprint != fingerprint) continue;
      view.number = key.event;
      view.deliveries.push_back(row.view);
    }
    if (view.deliveries.empty()) return std::vector<store::EventView>();
    return std::vector{view};
  }
  std::variant<store::DeliveryPage, store::Unreadable> deliveries(
      const store::DeliveryFilter&, const std::optional<store::DeliveryKey>&,
      std::size_t) override {
    return store::DeliveryPage{};
  }
  store::LedgerFigures figures() const override {
    const std::lock_guard lock(mutex_);
    std::map<std::string, store::ListenerFigures> figures;
    for (const auto& [key, row] : rows_) {
      store::ListenerFigures& of = figures[key.listener];
      of.listener = key.listener;
      if (!is_ended(row.view.state)) of.oldest_pending = row.view.created;
      of.pending += is_ended(row.view.state) || uncounted ? 0 : 1;
      of.dead += row.view.state == store::DeliveryState::dead ? 1 : 0;
    }
    store::LedgerFigures out;
    for (const auto& [name, of] : figures) out.listeners.push_back(of);
    return out;
  }
  void watch(store::LedgerWatch* watch) override {
    const std::lock_guard lock(watch_mutex_);
    watch_ = watch;
  }

 private:
  store::PendingPage page_of(std::string_view listener, store::EventNumber after,
                             std::size_t limit) const {
    const std::lock_guard lock(mutex_);
    store::PendingPage page;
    for (const auto& [key, row] : rows_) {
      if (key.listener != listener || key.event <= after || is_ended(row.view.state)) continue;
      page.more = page.items.size() == limit;
      if (page.more) break;
      page.items.push_back({key.event, row.view.due.value_or(store::WallTime()), row.view.attempts,
                            row.entity, row.view.held});
    }
    return page;
  }
  void sent(store::Attempt&) noexcept override {}
  bool lapsed(const store::Attempt&) const noexcept override { return lapses.load(); }
  void dropped(store::Attempt& attempt) noexcept override {
    const std::lock_guard lock(mutex_);
    rows_.at(attempt.key()).taken = false;
    ++given_back;
  }

  mutable std::mutex mutex_;
  std::mutex watch_mutex_;
  store::LedgerWatch* watch_ = nullptr;
  store::EventNumber last_ = 0;
  std::map<store::EventNumber, std::shared_ptr<const store::Event>> events_;
  std::map<store::DeliveryKey, Row> rows_;
  std::map<store::DeliveryKey, store::Later> later_;
};

/// A store that is nothing but its ledger.
class LedgerStore final : public store::Store {
 public:
  FakeLedger fake;

  store::Ledger* ledger() override { return &fake; }
  bool reserve(const store::ReserveRequest&, store::Call<store::ReserveResult>&) override {
    return false;
  }
  bool complete(store::Permit, store::StoredAnswer, std::span<const store::Fingerprint>,
                store::Call<store::Settled>&) override {
    return false;
  }
  bool release(store::Permit, const store::NotDone&, store::Call<store::Settled>&) override {
    return false;
  }
  bool mark_unknown(store::Permit, std::string_view, store::Call<store::Settled>&) override {
    return false;
  }
  void dropped(const store::Permit&) noexcept override {}
};

}  // namespace onceproxy::delivery::testing
