#include "store/postgres/start_check.hpp"

#include <atomic>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>

#include "store/postgres/connecting.hpp"
#include "store/postgres/schema.hpp"
#include "store/postgres/standby_names.hpp"

namespace onceproxy::store {

std::string check_at_start(const PostgresOptions& options, NoteTable& notes,
                           const Nonce& instance) {
  if (const std::string wrong = wrong_options(options); !wrong.empty()) {
    throw std::runtime_error(wrong);
  }
  const std::atomic<bool> never{false};
  auto connected = connect(options, never);
  if (const auto* const error = std::get_if<ConnectError>(&connected)) {
    throw std::runtime_error("cannot connect to PostgreSQL: " + error->message);
  }
  const auto session = std::get<pq::ConnectionPtr>(std::move(connected));
  const Patience patience{Patience::SteadyClock::now() + options.connect_timeout, never};
  const auto prepared = prepare(session.get(), options, false, patience);
  if (const auto* const error = std::get_if<ConnectError>(&prepared)) {
    throw std::runtime_error("cannot use this PostgreSQL server: " + error->message);
  }
  const auto& server = std::get<Server>(prepared);
  if (const std::string problem = schema_problem(server.schema, options); !problem.empty()) {
    throw std::runtime_error("cannot use this PostgreSQL server: " + problem);
  }
  PQexitPipelineMode(session.get());
  // Until the sign of life below, which a move that begins later sees.
  pq::ResultPtr found;
  if (PQsendQuery(session.get(), lock_for_start(options).c_str()) == 1) {
    found = answer(session.get(), patience);
  }
  if (PQresultStatus(found.get()) == PGRES_TUPLES_OK && PQgetvalue(found.get(), 0, 0)[0] != '1') {
    throw std::runtime_error("the schema \"" + options.schema +
                             "\" is being moved by `onceproxy store move`; start when that has "
                             "ended");
  }
  found.reset();
  if (PQsendQueryParams(session.get(), "SELECT name, value FROM notes", 0, nullptr, nullptr,
                        nullptr, nullptr, 1) == 1) {
    found = answer(session.get(), patience);
  }
  if (PQresultStatus(found.get()) != PGRES_TUPLES_OK) {
    throw std::runtime_error("cannot read from PostgreSQL: " +
                             pq::trimmed(PQerrorMessage(session.get())));
  }
  for (int i = 0; i < PQntuples(found.get()); ++i) {
    const pq::Row row(found.get(), i);
    notes.found(row.text(0), row.text(1));
  }
  const char* const value = reinterpret_cast<const char*>(instance.data());
  const int size = static_cast<int>(instance.size());
  const int binary = 1;
  // If this fails, the regular signs of life report it.
  if (PQsendQueryParams(session.get(), "SELECT beat($1)", 1, nullptr, &value, &size, &binary, 1) ==
      1) {
    static_cast<void>(answer(session.get(), patience));
  }
  return options.durability == Durability::quorum ? promotion_advice(server.standby_names) : "";
}

}  // namespace onceproxy::store
