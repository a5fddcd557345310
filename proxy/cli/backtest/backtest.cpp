#include "proxy/cli/backtest/backtest.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include "policies/document.hpp"
#include "policies/outcome.hpp"
#include "policies/path.hpp"
#include "policies/select.hpp"

namespace onceproxy::backtest {
namespace {

using gate::Decision;
using policies::Document;
using policies::Field;
using policies::Policy;
using policies::RequestView;

/// The fields as policies read them. What a log wrote down as text is decoded already.
std::vector<Field> fields_of(const LoggedRequest& request) {
  std::vector<Field> fields;
  fields.reserve(request.headers.size());
  for (const auto& [name, value] : request.headers) {
    const bool undone =
        request.body_is_decoded && policies::equals_ignoring_case(name, "content-encoding");
    if (!undone) fields.push_back({name, value});
  }
  return fields;
}

policies::Verdict ending_of(const Policy& policy, const LoggedRequest& request) {
  if (!request.sent) return policies::Verdict::release;
  if (!request.status) return policies::Verdict::complete;
  if (*request.status == 0) return policies::Verdict::ambiguous;
  return policies::classify(policy.outcome, *request.status);
}

/// A policy that only watches, or for a share, is counted as if it were in force.
policies::Enforcement as_if_enforced(const Policy& policy) {
  const bool off = policy.enforcement.mode == policies::Enforcement::Mode::off;
  return off ? policy.enforcement : policies::Enforcement{};
}

Decision refused(const Policy& policy, const policies::SelectError& error) {
  using Kind = policies::SelectError::Kind;
  if (policies::lets_pass(policy, error.kind)) return Decision::passed;
  if (error.kind == Kind::bad_key) return Decision::bad_key;
  return error.kind == Kind::unreadable ? Decision::unreadable : Decision::missing_key;
}

}  // namespace

Backtest::Backtest(const config::Settings& settings, std::size_t entries_max)
    : settings_(settings),
      policies_(settings.policies),
      simulation_(entries_max,
                  [this](const Policy& policy, Decision decision) { decide(policy, decision); }) {
  for (const Policy& policy : policies_.policies()) {
    report_.policies.push_back({policy.name, {}, {}, !policy.match.headers.empty()});
  }
}

void Backtest::decide(const Policy& policy, Decision decision) {
  ++report_.policies[policy.index].decisions[static_cast<std::size_t>(decision)];
}

Moment Backtest::advance(Moment time) {
  if (!report_.from) report_.from = time;
  if (report_.to && time < *report_.to) {
    ++report_.out_of_order;
    report_.out_of_order_max = std::max(report_.out_of_order_max, *report_.to - time);
    return *report_.to;
  }
  report_.to = time;
  return time;
}

bool Backtest::add(const LoggedRequest& request) {
  const Moment now = advance(request.time);
  if (!request.headers.empty()) ++report_.with_headers;
  if (request.body_left_out) ++report_.bodies_left_out;
  const std::vector<Field> fields = fields_of(request);
  const std::string_view target = request.target;
  const std::size_t query = target.find('?');
  RequestView view{request.method, target, target.substr(0, query), {}, fields};
  if (query != std::string_view::npos) view.query = target.substr(query + 1);
  std::string scratch;
  if (view.path != "*") {
    const auto path =
        policies::normalize_path(view.path, scratch, settings_.limits.pass_encoded_slashes);
    if (!path) {
      ++report_.requests;
      ++report_.bad_requests;
      return true;
    }
    view.path = *path;
  }
  Document document(view, request.body, settings_.limits.body_bytes);
  const auto candidates = policies_.candidates(view);
  if (!candidates.empty() && request.body.size() > settings_.limits.body_bytes) {
    ++report_.requests;
    ++report_.bad_requests;
    return true;
  }
  const Policy* policy = policies_.choose(candidates, view, document).deciding(as_if_enforced);
  if (policy == nullptr) {
    ++report_.uncovered;
  } else if (!add_covered(now, *policy, view, document, request)) {
    return false;
  }
  ++report_.requests;
  return true;
}

/// All that the policy selects and the request lacks, not only the first that ended the selection.
void Backtest::note_missing(const Policy& policy, const RequestView& view, Document& body) {
  std::set<std::string> lacking;
  for (const auto* selectors : {&policy.fingerprint, &policy.scope, &policy.payload}) {
    for (const auto& [selector, value] :
         policies::selected_fields(*selectors, policy, view, body)) {
      const bool lacks = !value && value.error().kind == policies::SelectError::Kind::missing;
      if (lacks) lacking.insert(selector);
    }
  }
  auto& missing = report_.policies[policy.index].missing;
  for (const std::string& selector : lacking) ++missing[selector];
}

bool Backtest::add_covered(Moment now, const Policy& policy, const RequestView& view,
                           Document& body, const LoggedRequest& request) {
  if (policy.enforcement.mode == policies::Enforcement::Mode::off) {
    decide(policy, Decision::passed);
    return true;
  }
  auto operation = policies::select_operation(policy, view, body);
  if (!operation) {
    decide(policy, refused(policy, operation.error()));
    note_missing(policy, view, body);
    return true;
  }
  const Policy& effective = *operation->policy;
  if (effective.delivery) {
    // It is stored and acknowledged at once, whatever the service answered then.
    return simulation_.arrive(now, {*std::move(operation), policies::Verdict::complete,
                                    std::chrono::microseconds(0), true});
  }
  const bool replayable =
      !request.response_bytes || *request.response_bytes <= effective.replay.body_bytes_max;
  const policies::Verdict ending = ending_of(effective, request);
  if (!simulation_.arrive(now, {*std::move(operation), ending, request.duration, replayable})) {
    return false;
  }
  if (!request.status && request.sent) ++report_.without_status;
  return true;
}

void Backtest::add_bad_line(std::uint64_t line, std::string why) {
  ++report_.bad_lines;
  if (report_.first_bad_lines.size() < Report::bad_lines_shown) {
    report_.first_bad_lines.push_back({line, std::move(why)});
  }
}

Report Backtest::finish() {
  simulation_.finish();
  return std::move(report_);
}

}  // namespace onceproxy::backtest
