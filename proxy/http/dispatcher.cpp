#include "proxy/http/dispatcher.hpp"

#include <optional>
#include <utility>
#include <variant>

#include "proxy/http/covered.hpp"
#include "proxy/http/passing.hpp"
#include "proxy/http/preflight.hpp"
#include "proxy/http/reserved_forward.hpp"

namespace onceproxy::http {

Exchange Dispatcher::begin(Client& client, RequestMemory& memory,
                           Exchange::Clock::time_point began) {
  const std::shared_ptr<const Setup>& setup = parts_.setup;
  if (const std::size_t twins = setup->guarded.drop_twins(memory.head); twins > 0) {
    parts_.metrics.twins_dropped(twins);
  }
  return Exchange(client, memory, setup, began, parts_.reports, parts_.date);
}

/// Whether the body is to be read and the gate to be asked. A policy that is off is noted.
bool Dispatcher::may_be_covered(Exchange& exchange, const Candidates& candidates) {
  const Coverage coverage(exchange.rules(), candidates);
  if (coverage.none()) return false;
  if (!coverage.switched_off()) return true;
  exchange.covered_by(coverage.first());
  parts_.metrics.unprotected(exchange.policy_id(), telemetry::Unprotected::off);
  return false;
}

Task<void> Dispatcher::dispatch(Client& client, Exchange& exchange) {
  Request& request = exchange.request();
  if (const auto bad = request.read_path()) {
    co_await exchange.refuse(*bad);
    co_return;
  }
  if (const policies::Policy* const covering = preflighted(request, *exchange.setup())) {
    exchange.covered_by(*covering);
    request.begin_body();
    gate::Answer allowed = answer_preflight(request, *exchange.setup(), *covering);
    co_await exchange.answer(gate::Decision::preflight, std::move(allowed));
    co_return;
  }
  const Candidates candidates = exchange.rules().policies().candidates(request.view());
  std::optional<BodySoFar> body;
  std::optional<Covered> covered;
  if (may_be_covered(exchange, candidates)) {
    covered.emplace(exchange, client, candidates, parts_.gate, parts_.bodies);
    Covered::Next next = co_await covered->admit();
    if (std::holds_alternative<Covered::Replied>(next)) co_return;
    if (auto* const reservation = std::get_if<gate::Forward>(&next)) {
      ReservedForward forward(
          exchange, client, covered->body(),
          {parts_.gate, parts_.upstream, parts_.pipes, parts_.answers, parts_.date});
      co_await forward.run(std::move(*reservation));
      co_return;
    }
    body.emplace(std::get<BodySoFar>(std::move(next)));
  }
  if (exchange.policy() == nullptr) {
    near_misses_.look(exchange.rules(), request.view(), exchange.began());
  }
  Passing passing(exchange, client, parts_.upstream, parts_.pipes,
                  std::move(body).value_or(BodyUnread{}));
  co_await passing.run();
}

}  // namespace onceproxy::http
