#include "store/verdict.hpp"

#include <utility>

#include "store/reservations.hpp"

namespace onceproxy::store {

std::variant<Free, Mismatch, Held, Completed> judge(std::optional<Record> record,
                                                    const ReserveRequest& request, WallTime now) {
  if (!record || record->expires <= now) return Free{};
  if (differ(record->payload, request.payload)) return Mismatch{};
  if (record->state == Record::State::completed) {
    return Completed{std::move(record->answer), record->settled};
  }
  if (record->lease_ends > now) return Held{record->lease_ends - now};
  if (request.terms.unknown == OnUnknown::hold) return Held{};
  return Free{std::move(record)};
}

}  // namespace onceproxy::store
