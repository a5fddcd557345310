// Gate: the one place where policies meet the store. admit() decides about a covered request.
// settle() records the outcome of a forward and decides about the answer. Every front (HTTP/1.1,
// Envoy's ext_proc) calls these two functions around its own forwarding.
//
// It does no network I/O and does not know connections. Thread-safety: a Gate belongs to one event
// loop.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "policies/document.hpp"
#include "policies/policy.hpp"
#include "policies/request_view.hpp"
#include "policies/select.hpp"
#include "proxy/gate/acknowledger.hpp"
#include "proxy/gate/answer.hpp"
#include "proxy/gate/refusals.hpp"
#include "proxy/gate/rules.hpp"
#include "proxy/io/task.hpp"
#include "proxy/telemetry/metrics.hpp"
#include "store/audit/pad.hpp"
#include "store/clock.hpp"
#include "store/store.hpp"

namespace onceproxy::gate {

/// Forward without a reservation: the policy is off or in shadow mode, or lets a request pass that
/// it cannot protect.
struct PassThrough {};

/// Forward with the reservation. settle() must be called with it.
struct Forward {
  store::Permit permit;
  /// The policy, or its override that applies.
  const policies::Policy* policy;
  /// The policy is in shadow mode: the client gets the upstream's answer even if the store fails.
  bool watched = false;
  /// The time of the reservation.
  std::chrono::steady_clock::time_point begun{};
  /// The operations that are forgotten when this one completes.
  std::vector<store::Fingerprint> ends = {};
};

/// Do not forward: the request is stored and will be delivered.
struct Accepted {
  store::EventNumber event = 0;
  /// The answer for the request and its duplicates. If the policy requires it, the listeners have
  /// been waited for.
  Answer answer;
};

using AdmissionKind = std::variant<PassThrough, Forward, Accepted, Reply>;

struct Admission {
  AdmissionKind verdict;
  /// The operation of the request, if it could be determined.
  std::optional<store::Fingerprint> fingerprint = std::nullopt;
  /// Asking::trace of the request whose answer is replayed; empty if it had none.
  std::string origin = {};
  /// In shadow mode: the decision of an enforced policy. There is no Reply in this case.
  std::optional<Decision> shadow = std::nullopt;
  /// For the logs: the missing field, or the reason why a key or the body cannot be read, without
  /// their contents. Empty if the operation could be determined.
  std::string error = {};
};

/// The upstream answered. The views are read only during settle().
struct Answered {
  int status;
  /// The fields as the client gets them: without hop-by-hop fields and Content-Length, and with
  /// Date.
  std::span<const policies::Field> headers;
  std::string_view body;
  /// If false, the answer is not stored, and `body` is only its beginning.
  bool whole;
  /// The reason why it is not stored.
  store::NotKept not_kept = store::NotKept::too_large;
};

/// No byte of the request reached the upstream.
struct NotSent {
  enum class Reason { unreachable, timeout, busy } reason;
  std::string_view detail;
};

/// The request was sent, at least in part, and there was no valid answer.
struct Unknown {
  bool timeout;
  std::string_view detail;
};

using Outcome = std::variant<Answered, NotSent, Unknown>;

/// The decision and the answer for a request that was forwarded and failed. `policy`: its `respond`
/// is used; nullptr: the standard answer.
Decision decision_of(const NotSent& not_sent);
Answer answer_not_sent(const NotSent& not_sent, const policies::Policy* policy);
Answer answer_unknown(const Unknown& unknown, const policies::Policy* policy);

/// What is known about the request besides its content. The views must stay valid until admit() has
/// ended.
struct Asking {
  std::string_view request_id;
  /// The ids of its trace and span; empty if requests are not traced.
  std::string_view trace_id = {};
  std::string_view trace = {};
  /// The memory that the request uses; it limits the requests that wait.
  std::size_t bytes_kept = 0;
  /// The body without its transfer coding. If it is absent, the request cannot be stored, and a
  /// policy with `delivery` refuses it.
  std::optional<std::string_view> body = std::nullopt;
  /// The value of the Date field; if it is empty, answers that are stored here have no date.
  std::string_view date = {};
};

struct Settlement {
  Decision decision;
  /// If absent, the upstream's answer goes to the client.
  std::optional<Answer> answer;
};

class Gate {
 public:
  /// All arguments must outlive the gate. `loop` is the loop of its coroutines. `acknowledger`: if
  /// nullptr, no request waits for listeners, and each event is acknowledged when it is stored.
  Gate(store::Store& store, store::Loop& loop, const store::Clock& clock,
       telemetry::WorkerMetrics& metrics, Acknowledger* acknowledger = nullptr)
      : store_(store),
        loop_(loop),
        clock_(clock),
        metrics_(metrics),
        acknowledger_(acknowledger),
        audit_(store.audit()) {}

  /// Decides about a request that `policy` covers. The reservation in a Forward is durable. All
  /// arguments that are passed by reference must stay valid until the task has ended.
  io::Task<Admission> admit(const Rules& rules, const policies::Policy& policy,
                            const policies::RequestView& request, policies::Document& body,
                            const Asking& asking);

  /// Whether watch_lease() may ever report anything.
  bool leases_may_end() const { return store_.leases_may_end(); }
  /// `watch` is notified if the reservation's lease ends before settle() is called.
  void watch_lease(const Forward& forward, std::weak_ptr<store::LeaseWatch> watch) {
    store_.watch_lease(forward.permit, loop_, std::move(watch));
  }
  /// Whether the reservation still belongs to this process. To be asked right before the request is
  /// sent.
  bool holds(const Forward& forward) const { return store_.holds(forward.permit); }

  /// Ends the reservation according to the outcome. When the task has ended, the completion is
  /// durable and the client may be answered; otherwise the settlement contains another answer.
  io::Task<Settlement> settle(const Rules& rules, Forward forward, const Outcome& outcome);

  /// Passes recent refusals to the audit log. Call it a few times a second.
  void hand_over_audit() { audit_.hand_over(); }

 private:
  store::ReserveRequest reserve_request(const Rules& rules, const policies::Operation& operation,
                                        bool watch, std::string_view path, const Asking& asking);
  /// The answer for the client when the listeners have answered as `policy` requires; nothing if
  /// they are not waited for, or did not answer in time.
  io::Task<std::optional<store::StoredAnswer>> acknowledged(const policies::Policy& policy,
                                                            store::Fingerprint event);
  /// Whether the store may have live records with digests of an earlier version.
  bool looks_back(const Rules& rules) const;
  /// Lets a covered request pass, and counts the reason.
  Admission unprotected(const Rules& rules, const policies::Policy& policy,
                        telemetry::Unprotected reason);
  /// Decides about a request whose operation cannot be determined. `watch`: the policy is in shadow
  /// mode.
  Admission unnamed(const Rules& rules, const policies::Policy& policy,
                    const policies::SelectError& why, bool watch);
  AdmissionKind verdict_of(const Rules& rules, const policies::Policy& policy,
                           const policies::Subject& asking, store::ReserveResult result);
  /// The store records forwards in the audit log; everything else is recorded here.
  void note(const policies::Policy& policy, const store::Subject& subject, const Asking& asking,
            const Admission& admission);
  static void observe(const Rules& rules, const Forward& forward, const Outcome& outcome);
  io::Task<store::Settled> complete(Forward forward, const Answered& answered);
  io::Task<store::Settled> release(store::Permit permit, store::NotDone why);
  io::Task<store::Settled> mark_unknown(store::Permit permit, std::string_view detail);

  store::Store& store_;
  store::Loop& loop_;
  const store::Clock& clock_;
  telemetry::WorkerMetrics& metrics_;
  Acknowledger* const acknowledger_;
  store::AuditPad audit_;
};

}  // namespace onceproxy::gate
