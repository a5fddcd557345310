// PostgresInspection: the Inspection of the shared store. Any instance answers for the records of
// all. Thread-safe; each call waits for the database, for a bounded time.
#pragma once

#include <optional>

#include "store/inspection.hpp"
#include "store/postgres/asking.hpp"

namespace onceproxy::store {

class PostgresInspection final : public Inspection {
 public:
  PostgresInspection(Work& work, Channel& house) : work_(work), house_(house) {}

  std::variant<RecordPage, Unreadable> records(const RecordFilter& filter,
                                               const std::optional<Fingerprint>& after,
                                               std::size_t limit) override;
  std::variant<std::optional<RecordView>, Unreadable> record(
      const Fingerprint& fingerprint) override;
  Changed release(const Fingerprint& fingerprint) override;
  Changed resolve(const Fingerprint& fingerprint,
                  const std::optional<StoredAnswer>& answer) override;
  Changed forget(const Fingerprint& fingerprint) override;
  std::variant<std::optional<EntityView>, Unreadable> entity(const EntityKey& key) override;
  Changed open(const EntityKey& key) override;

 private:
  Changed change(Statement statement, OneQuery::Bind bind, const Fingerprint& fingerprint);

  Work& work_;
  Channel& house_;
};

}  // namespace onceproxy::store
