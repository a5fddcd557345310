// Requests that wait, and a store whose calls run on a loop that the test turns by hand.
#pragma once

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <utility>
#include <vector>

#include "store_fixture.hpp"

namespace onceproxy::store::testing {

using Calls = std::vector<std::unique_ptr<Waiting<ReserveResult>>>;

inline ReserveRequest waiting(std::uint64_t number, std::chrono::milliseconds wait = 10s) {
  ReserveRequest out = request(number);
  out.wait = wait;
  return out;
}

inline ReserveRequest in_turn(std::uint64_t number, std::uint64_t entity = 1,
                              std::chrono::milliseconds turn = 10s) {
  ReserveRequest out = request(number);
  out.entity.emplace();
  out.entity->key = entity_key(entity);
  out.entity->type = "ride";
  out.entity->id = "r-1";
  out.entity->turn = turn;
  return out;
}

struct WaitingFixture : Fixture {
  HandLoop hands;

  std::unique_ptr<Waiting<ReserveResult>> start(const ReserveRequest& request) {
    auto call = std::make_unique<Waiting<ReserveResult>>(hands);
    if (store->reserve(request, *call)) call->at_once();
    return call;
  }
  /// The answer, which must come; what else is delivered before runs too.
  ReserveResult& answer_of(Waiting<ReserveResult>& call) {
    if (!hands.run_until([&] { return call.answered(); })) {
      throw std::runtime_error("never answered");
    }
    return *call.result;
  }
  Permit permit_of(Waiting<ReserveResult>& call) {
    auto* const reserved = std::get_if<Reserved>(&answer_of(call));
    if (reserved == nullptr) throw std::runtime_error("not reserved");
    return std::move(reserved->permit);
  }
  static std::size_t answered(const Calls& calls) {
    return static_cast<std::size_t>(
        std::count_if(calls.begin(), calls.end(), [](auto& call) { return call->answered(); }));
  }
};

}  // namespace onceproxy::store::testing
