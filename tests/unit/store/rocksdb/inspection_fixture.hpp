// A store as operators see it, with records in each of their states.
#pragma once

#include <optional>

#include "store/rocksdb/rocksdb_inspection.hpp"
#include "store_fixture.hpp"

namespace onceproxy::store::testing {

struct InspectionFixture : Fixture {
  InspectionFixture() { open(); }

  Inspection& inspection() { return store->inspection(); }

  RecordPage page(const RecordFilter& filter = {},
                  const std::optional<Fingerprint>& after = std::nullopt,
                  std::size_t limit = 1'000) {
    return std::get<RecordPage>(inspection().records(filter, after, limit));
  }
  std::optional<RecordView> record(std::uint64_t number) {
    return std::get<std::optional<RecordView>>(inspection().record(fingerprint(number)));
  }
  /// As a process that dies leaves it.
  void leave_reserved(std::uint64_t number) { const Permit dropped = permit(request(number)); }
  void leave_unknown(std::uint64_t number) { mark_unknown(permit(request(number)), "no answer"); }
  void leave_completed(std::uint64_t number, int status = 201) {
    complete(permit(request(number)), answer(status, "body"));
  }
  ReserveRequest on_entity(std::uint64_t number) {
    ReserveRequest out = request(number);
    out.entity.emplace();
    out.entity->key = entity_key(1);
    out.entity->type = "ride";
    out.entity->id = "r-1";
    out.entity->turn = 0ms;
    out.entity->unless_closed = true;
    return out;
  }
  void close_entity(std::uint64_t number) {
    ReserveRequest closing = on_entity(number);
    closing.entity->closes = 1h;
    closing.entity->sequence = 7;
    complete(permit(closing), answer(200, ""));
  }
  std::optional<EntityView> entity() {
    return std::get<std::optional<EntityView>>(inspection().entity(entity_key(1)));
  }
};

}  // namespace onceproxy::store::testing
