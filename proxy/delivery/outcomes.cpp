#include "proxy/delivery/outcomes.hpp"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <utility>
#include <vector>

#include "proxy/telemetry/json.hpp"

namespace onceproxy::delivery {

namespace {

using store::DeliveryState;

/// How often the ledger is read for what other processes have ended.
constexpr std::chrono::seconds read_interval{1};
/// The number of reads at once. Each may wait for the database, and delays all listeners meanwhile.
constexpr std::size_t reads_at_once = 8;

void answer_without(store::Call<gate::Acknowledged>& call) {
  call.result.emplace();
  call.next = nullptr;
  call.loop.deliver(&call);
}

}  // namespace

store::StoredAnswer outcome_answer(const store::Fingerprint& event, bool reached,
                                   const std::map<std::string, DeliveryNote>& listeners) {
  const std::string hex = event.hex();
  telemetry::JsonArray items;
  for (const auto& [name, note] : listeners) {
    telemetry::JsonObject item{{"listener", name},
                               {"state", std::string(store::name(note.state))},
                               {"attempts", note.attempts}};
    if (note.status != 0) item["status"] = note.status;
    if (!note.error.empty()) item["error"] = note.error;
    items.emplace_back(std::move(item));
  }
  const telemetry::JsonObject body{{"status", reached ? "notified" : "accepted"},
                                   {"event", hex},
                                   {"deliveries", "/deliveries?event=" + hex},
                                   {"listeners", std::move(items)}};
  store::StoredAnswer answer;
  answer.status = 202;
  answer.head = "Content-Type: application/json\r\n";
  answer.body = telemetry::json_text(body);
  return answer;
}

bool Outcomes::all_ended(const Wait& wait) {
  return std::ranges::all_of(wait.listeners,
                             [](const auto& each) { return store::is_ended(each.second.state); });
}

/// Whether enough deliveries have succeeded.
bool Outcomes::reached(const Wait& wait) {
  const auto notified = std::ranges::count_if(wait.listeners, [](const auto& each) {
    return each.second.state == DeliveryState::notified;
  });
  const auto wanted = wait.how.when == policies::Acknowledge::When::all
                          ? wait.listeners.size()
                          : std::min<std::size_t>(wait.how.count, wait.listeners.size());
  return static_cast<std::size_t>(notified) >= wanted;
}

void Outcomes::add(const store::Fingerprint& fingerprint, const policies::Acknowledge& how,
                   store::Call<gate::Acknowledged>& call, Time now) {
  Wait wait{0, fingerprint, how, now + how.timeout, now, {}, &call};
  read(wait);
  if (wait.event == 0) {
    answer_without(call);
    return;
  }
  if (reached(wait) || all_ended(wait)) {
    io::start(answer(std::move(wait)));
    return;
  }
  waits_.push_back(std::move(wait));
}

/// The newest event, or the one that is waited for, as the ledger has it.
void Outcomes::read(Wait& wait) {
  const auto found = ledger_.events(wait.fingerprint, 1);
  const auto* const events = std::get_if<std::vector<store::EventView>>(&found);
  if (events == nullptr || events->empty()) return;
  const store::EventView& event = events->front();
  if (wait.event != 0 && wait.event != event.number) return;
  wait.event = event.number;
  for (const store::DeliveryView& delivery : event.deliveries) {
    wait.listeners[delivery.key.listener] = {delivery.state, delivery.attempts, delivery.status,
                                             delivery.error};
  }
}

void Outcomes::read_again(store::EventNumber event) {
  for (Wait& wait : waits_) {
    // The next tick reads it.
    if (wait.event == event) wait.read = Time();
  }
}

void Outcomes::note(const store::DeliveryKey& key, const DeliveryNote& note) {
  for (auto it = waits_.begin(); it != waits_.end();) {
    Wait& wait = *it;
    if (wait.event != key.event) {
      ++it;
      continue;
    }
    wait.listeners[key.listener] = note;
    if (!reached(wait) && !all_ended(wait)) {
      ++it;
      continue;
    }
    Wait over = std::move(wait);
    it = waits_.erase(it);
    io::start(answer(std::move(over)));
  }
}

/// What was read goes to the end of the list, so that everybody's turn comes.
void Outcomes::tick(Time now) {
  std::size_t reads = ledger_.shared() ? reads_at_once : 0;
  std::list<Wait> were_read;
  for (auto it = waits_.begin(); it != waits_.end();) {
    Wait& wait = *it;
    const bool late = wait.until <= now;
    const bool reads_it = reads > 0 && (late || now - wait.read >= read_interval);
    if (reads_it) {
      --reads;
      read(wait);
      wait.read = now;
    }
    if (!late && !reached(wait) && !all_ended(wait)) {
      const auto next = std::next(it);
      if (reads_it) were_read.splice(were_read.end(), waits_, it);
      it = next;
      continue;
    }
    Wait over = std::move(wait);
    it = waits_.erase(it);
    io::start(answer(std::move(over)));
  }
  waits_.splice(waits_.end(), were_read);
}

/// Answers the client, and stores the answer if possible, so that duplicates of the request get the
/// same one.
io::Task<void> Outcomes::answer(Wait wait) {
  ++writing_;
  store::StoredAnswer said = outcome_answer(wait.fingerprint, reached(wait), wait.listeners);
  io::AwaitedCall<store::Settled> call(home_);
  io::Finished<store::Settled> finished{call, ledger_.acknowledge(wait.event, said, call)};
  const store::Settled settled = co_await finished;
  --writing_;
  wait.call->result.emplace();
  if (settled == store::Settled::done) wait.call->result->answer = std::move(said);
  wait.call->next = nullptr;
  wait.call->loop.deliver(wait.call);
}

}  // namespace onceproxy::delivery
