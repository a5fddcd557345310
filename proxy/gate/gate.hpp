// Gate: the one place where policy meets store. admit() turns a covered request into what may be
// done with it; settle() turns what became of a forward into what is remembered and answered. Every
// front (HTTP/1.1, Envoy's ext_proc) calls these two verbs around its own forwarding.
//
// It does no network I/O and knows no connection.
// Thread-safety: a Gate belongs to one event loop.
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

/// Forward without a reservation: the policy is off, or lets what it cannot protect pass, or only
/// watches and would have refused.
struct PassThrough {};

/// Forward, holding the reservation. settle() must be called with it.
struct Forward {
  store::Permit permit;
  /// The policy, or the override of it that applies.
  const policies::Policy* policy;
  /// The policy only watches: the client gets the upstream's answer whatever becomes of the store.
  bool watched = false;
  /// When the reservation was made.
  std::chrono::steady_clock::time_point begun{};
  /// The operations whose memory ends when this one completes.
  std::vector<store::Fingerprint> ends = {};
};

/// Do not forward: the request is stored, and will be delivered.
struct Accepted {
  store::EventNumber event = 0;
  /// What it and its duplicates get. Where its policy says so, the listeners were waited for.
  Answer answer;
};

using AdmissionKind = std::variant<PassThrough, Forward, Accepted, Reply>;

struct Admission {
  AdmissionKind verdict;
  /// What the request stands for, where that could be worked out.
  std::optional<store::Fingerprint> fingerprint = std::nullopt;
  /// Asking::trace of the request whose answer this one repeats; empty where it had none.
  std::string origin = {};
  /// Where the policy only watches: what would have been decided. There is no Reply then.
  std::optional<Decision> shadow = std::nullopt;
  /// For the logs: which field is missing, or why a key or the body cannot be read; never what
  /// they hold. Empty where the operation could be named.
  std::string error = {};
};

/// The upstream answered. Views are read during settle() only.
struct Answered {
  int status;
  /// As they go to the client: nothing hop-by-hop, no Content-Length; Date among them.
  std::span<const policies::Field> headers;
  std::string_view body;
  /// False: the answer is not kept, and `body` is only its beginning.
  bool whole;
  /// Why it is not, where it is not whole.
  store::NotKept not_kept = store::NotKept::too_large;
};

/// Not one byte of the request reached the upstream.
struct NotSent {
  enum class Reason { unreachable, timeout, busy } reason;
  std::string_view detail;
};

/// Sent, perhaps in part, and not answered, or answered by something that cannot be believed.
struct Unknown {
  bool timeout;
  std::string_view detail;
};

using Outcome = std::variant<Answered, NotSent, Unknown>;

/// Decision and answer where the request was forwarded and failed. `policy`: whose `respond` holds;
/// nullptr: nobody's.
Decision decision_of(const NotSent& not_sent);
Answer answer_not_sent(const NotSent& not_sent, const policies::Policy* policy);
Answer answer_unknown(const Unknown& unknown, const policies::Policy* policy);

/// What is known of the request beside its content. Views must stay until admit() ends.
struct Asking {
  std::string_view request_id;
  /// Its trace's id, and where it stands in it; empty where requests are not traced.
  std::string_view trace_id = {};
  std::string_view trace = {};
  /// What the request takes in memory; those that wait are bounded by it.
  std::size_t bytes_kept = 0;
  /// The body as it came, without its transfer coding. Absent: it cannot be stored, and a policy
  /// with `delivery` refuses the request.
  std::optional<std::string_view> body = std::nullopt;
  /// The value of a Date field; empty: answers that are stored here have none.
  std::string_view date = {};
};

struct Settlement {
  Decision decision;
  /// Absent: the upstream's answer goes to the client.
  std::optional<Answer> answer;
};

class Gate {
 public:
  /// All must outlive the gate; `loop` is the one its coroutines run on. `acknowledger` null:
  /// listeners are waited for by nobody, and every event is acknowledged once it is stored.
  Gate(store::Store& store, store::Loop& loop, const store::Clock& clock,
       telemetry::WorkerMetrics& metrics, Acknowledger* acknowledger = nullptr)
      : store_(store),
        loop_(loop),
        clock_(clock),
        metrics_(metrics),
        acknowledger_(acknowledger),
        audit_(store.audit()) {}

  /// Decides about a request that `policy` covers. The reservation in a Forward is durable.
  /// Everything passed by reference must stay until the task ends.
  io::Task<Admission> admit(const Rules& rules, const policies::Policy& policy,
                            const policies::RequestView& request, policies::Document& body,
                            const Asking& asking);

  /// Whether watch_lease() may ever tell anything.
  bool leases_may_end() const { return store_.leases_may_end(); }
  /// `watch` is told if the reservation's lease ends before settle() is called.
  void watch_lease(const Forward& forward, std::weak_ptr<store::LeaseWatch> watch) {
    store_.watch_lease(forward.permit, loop_, std::move(watch));
  }

  /// Ends the reservation as the outcome says. The client may be answered when the task has ended:
  /// the completion is durable then, or the settlement says otherwise.
  io::Task<Settlement> settle(const Rules& rules, Forward forward, const Outcome& outcome);

  /// Gives the audit log what was refused since. To be called a few times a second.
  void hand_over_audit() { audit_.hand_over(); }

 private:
  store::ReserveRequest reserve_request(const Rules& rules, const policies::Operation& operation,
                                        bool watch, std::string_view path, const Asking& asking);
  /// What the client is told once the listeners have answered as `policy` says; nothing where they
  /// are not waited for, or did not in time.
  io::Task<std::optional<store::StoredAnswer>> acknowledged(const policies::Policy& policy,
                                                            store::Fingerprint event);
  /// Whether the store may hold records of an earlier version's digests that still count.
  bool looks_back(const Rules& rules) const;
  /// Lets a covered request pass, and counts why.
  Admission unprotected(const Rules& rules, const policies::Policy& policy,
                        telemetry::Unprotected reason);
  /// What becomes of a request whose operation cannot be named. `watch`: the policy only watches.
  Admission unnamed(const Rules& rules, const policies::Policy& policy,
                    const policies::SelectError& why, bool watch);
  AdmissionKind verdict_of(const Rules& rules, const policies::Policy& policy,
                           const policies::Subject& asking, store::ReserveResult result);
  /// The audit log learns of forwards from the store, and of everything else here.
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
