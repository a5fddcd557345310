// Covered: a request that a policy covers, or may cover once its body is known, up to the gate's
// decision: its body is read whole (bounded), the policy is chosen, and the gate is asked. It
// forwards nothing.
// Not thread-safe: its worker's loop.
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

  /// All must outlive it. `bodies`: for what is still arriving.
  Covered(Exchange& exchange, Client& client, const Candidates& candidates, gate::Gate& gate,
          const BufferBudget::Account& bodies)
      : exchange_(exchange),
        request_(exchange.request()),
        client_(client),
        coverage_(exchange.rules(), candidates),
        gate_(gate),
        bodies_(bodies) {}

  /// The client was answered, and the exchange is finished.
  struct Replied {};
  /// What is to be done with the request: nothing more, forward it with a reservation, or pass it
  /// on without one.
  using Next = std::variant<Replied, gate::Forward, BodySoFar>;

  /// Called once.
  Task<Next> admit();
  /// The whole body, decoded, of a request that is to be forwarded. Valid as long as this.
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
  /// Views the client's buffer or `collected_`.
  std::string_view body_;
  std::string collected_;
  /// Reads a body that did not come whole with its head.
  std::optional<BodyReader> reader_;
};

}  // namespace onceproxy::http
