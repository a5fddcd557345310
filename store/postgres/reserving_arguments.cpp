// The arguments of one reserve, in the order in which sql/2_reserve.sql declares them.
#include <algorithm>

#include "store/gcra.hpp"
#include "store/lease.hpp"
#include "store/postgres/reserving.hpp"
#include "store/record.hpp"
#include "store/subject.hpp"

namespace onceproxy::store {

using std::chrono::milliseconds;

void Reserving::bind(pq::Params& params, const Server& server) const {
  const ReserveRequest& request = *request_;
  params.digest(fingerprint_);
  params.nonce(nonce_);
  params.nonce(work_.instance);
  params.digest(request.payload);
  params.number(request.terms.lease.count());
  params.number(renewal_max(request.terms.lease).count());
  params.number(request.terms.window.count());
  params.flag(request.terms.unknown == OnUnknown::hold);
  params.bytes(request.policy.substr(0, policy_bytes_max));
  params.bytes(request.request_id.substr(0, request_id_bytes_max));
  params.bytes(request.trace.size() <= trace_bytes_max ? request.trace : std::string_view());
  params.bytes(request.path.substr(0, path_bytes_max));
  if (const auto& entity = request.entity) {
    params.digest(entity->key);
    params.bytes(entity->type.substr(0, entity_type_bytes_max));
    params.bytes(entity->id.substr(0, entity_id_bytes_max));
    if (entity->turn) {
      const auto left = waits_ == Waits::turn
                            ? std::chrono::ceil<milliseconds>(turn_until_ - SteadyClock::now())
                            : *entity->turn;
      params.number(std::max<std::int64_t>(left.count(), 0));
    } else {
      params.null();
    }
  } else {
    for (int i = 0; i < 4; ++i) params.null();
  }
  params.number(static_cast<std::int64_t>(work_.tuning.entity_queue_max));
  params.number(work_.tuning.ticket.count());
  if (request.entity && request.entity->sequence) {
    const Sequence& sequence = *request.entity->sequence;
    params.number(static_cast<std::int64_t>(sequence.kind));
    params.number(sequence.high);
    params.number(static_cast<std::int64_t>(sequence.low ^ Sequence::sign_bit));
  } else {
    for (int i = 0; i < 3; ++i) params.null();
  }
  params.flag(request.entity && request.entity->equal_passes);
  if (request.entity && request.entity->closes) {
    params.number(request.entity->closes->count());
  } else {
    params.null();
  }
  params.flag(request.entity && request.entity->unless_closed);
  if (request.rate) {
    const auto interval = token_interval(*request.rate);
    params.digest(request.rate->key);
    params.number(interval.count());
    params.number((interval * std::max(request.rate->limit, 1u)).count());
  } else {
    for (int i = 0; i < 3; ++i) params.null();
  }
  // Only now that its outcome would wake this call. The note in the record waits for no standby, so
  // a statement that makes it carries nothing else.
  params.flag(waits_ == Waits::outcome);
  waited_ ? params.nonce(*waited_) : params.null();
  params.number(not_after(server));
  params.flag(work_.quorum());
  if (request.event != nullptr) bind_event(params);
}

}  // namespace onceproxy::store
