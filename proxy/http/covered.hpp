// Covered: a request that a policy covers, or may cover when its body is known, up to the gate's
// decision. It reads the whole body within limits, chooses the policy, and calls the gate. It does
// not forward. Not thread-safe: used on its worker's loop.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "policies/document.hpp"
#include "policies/policy.hpp"
#include "proxy/gate/gate.hpp"
#include "proxy/http/body_reader.hpp"
#include "proxy/http/body_so_far.hpp"
#include "proxy/http/buffer_budget.hpp"
#include "proxy/http/client.hpp"
#include "proxy/http/coverage.hpp"
#include "proxy/http/exchange.hpp"

namespace onceproxy::http {

class Covered {
 public:
  using Candidates = Coverage::Candidates;

  /// All arguments must outlive it. `bodies`: the budget for arriving bodies.
  Covered(Exchange& exchange, Client& client, const Candidates& candidates, gate::Gate& gate,
          const BufferBudget::Account& bodies)
      : exchange_(exchange),
        request_(exchange.request()),
        client_(client),
        coverage_(exchange.rules(), candidates),
        gate_(gate),
        bodies_(bodies) {}

  /// The client has been answered, and the exchange is finished.
  struct Replied {};
  /// The next step of the request: none, a forward with a reservation, or a forward without one.
  using Next = std::variant<Replied, gate::Forward, BodySoFar>;

  /// Called once.
  Task<Next> admit();
  /// The whole body, decoded, of a request that will be forwarded. Valid as long as this object.
  std::string_view body() const { return body_; }

 private:
  void watch_unread();
  bool take_body();
  Task<std::optional<BadHead>> collect_body();
  BadHead shed_body();
  Task<void> refuse(const BadHead& why);
  bool choose_policy(policies::Document& document);
  Next pass_through();

  Exchange& exchange_;
  Request& request_;
  Client& client_;
  const Coverage coverage_;
  gate::Gate& gate_;
  const BufferBudget::Account& bodies_;
  /// A view of the client's buffer or of `collected_`.
  std::string_view body_;
  std::string collected_;
  /// Reads a body that did not arrive completely with its head.
  std::optional<BodyReader> reader_;
};

}  // namespace onceproxy::http
