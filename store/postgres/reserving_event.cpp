// A reserve that stores an event: its arguments, and what its answer means.
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/postgres/event_watch.hpp"
#include "store/postgres/reserve_columns.hpp"
#include "store/postgres/reserving.hpp"
#include "store/postgres/telling.hpp"
#include "store/record.hpp"
#include "store/subject.hpp"

namespace onceproxy::store {

using std::chrono::milliseconds;

/// In the order in which sql/2_accept.sql declares them, behind those of reserve().
void Reserving::bind_event(pq::Params& params) const {
  const EventDraft& draft = *request_->event;
  params.number(draft.acknowledgement.status);
  params.flag(draft.acknowledgement.replayable);
  params.number(static_cast<std::int64_t>(draft.acknowledgement.not_kept));
  params.bytes(draft.acknowledgement.head);
  params.bytes(draft.acknowledgement.body);
  std::vector<std::string_view> ends;
  for (const Fingerprint& ended : draft.ends) {
    if (ended != fingerprint_) ends.push_back(ended.view());
  }
  ends.empty() ? params.null() : params.array(ends);
  params.bytes(draft.method);
  params.bytes(draft.target);
  params.bytes(draft.head);
  params.bytes(draft.body);
  params.array(std::vector<std::string_view>(draft.listeners.begin(), draft.listeners.end()));
  params.flag(draft.keep_dead);
  params.number(static_cast<std::int64_t>(work_.ledger_limits.bytes_max()));
}

/// The event is durable. Whoever delivers is told before the caller is.
void Reserving::accepted(const pq::Row& row) {
  queued_.reset();  // the event took its turn, and gave it back
  const EventDraft& draft = *request_->event;
  auto event = std::make_shared<Event>();
  event->number = static_cast<EventNumber>(row.number(o_event));
  event->fingerprint = fingerprint_;
  event->created = WallTime(milliseconds(row.number(o_now)));
  event->policy = request_->policy.substr(0, policy_bytes_max);
  event->request_id = request_->request_id.substr(0, request_id_bytes_max);
  if (request_->trace.size() <= trace_bytes_max) event->trace = request_->trace;
  if (const auto& entity = request_->entity) {
    event->entity = entity->key;
    event->entity_type = entity->type.substr(0, entity_type_bytes_max);
    event->entity_id = entity->id.substr(0, entity_id_bytes_max);
  }
  event->method = draft.method;
  event->target = draft.target;
  event->head = draft.head;
  event->body = draft.body;
  if (work_.audit != nullptr) {
    const auto fence = static_cast<std::uint64_t>(row.number(o_number));
    std::string bytes;
    note_forward(fence, static_cast<std::uint32_t>(row.number(o_attempt)), bytes);
    append(bytes, AuditEnding{work_.clock.now(),
                              fence,
                              AuditEnding::How::completed,
                              draft.acknowledgement.status,
                              {}});
    work_.audit->write(bytes, 2);
  }
  for (const Fingerprint& ended : draft.ends) work_.recent.forget(ended);
  if (row.flag(o_turn_wanted) && request_->entity) {
    work_.turns.wake(request_->entity->key.bytes);
    tell_others(channel_, work_.options, telling::turn, request_->entity->key);
  }
  const EventNumber number = event->number;
  const std::vector<std::string> listeners(draft.listeners.begin(), draft.listeners.end());
  work_.events.stored(std::move(event), listeners);
  finish(Accepted{number});
}

}  // namespace onceproxy::store
