#include "proxy/cli/explain_policy.hpp"

#include <algorithm>

#include "config/scalars.hpp"
#include "policies/outcome.hpp"
#include "policies/select.hpp"
#include "policies/share.hpp"

namespace onceproxy::cli {
namespace {

using config::duration_text;
using policies::Condition;
using policies::Document;
using policies::Operation;
using policies::Policy;
using policies::RequestView;
using policies::Selector;

/// Tells what it is asked of one request and its policy.
class Explanation {
 public:
  Explanation(Sheet& sheet, const Policy& policy, const RequestView& request, Document& body)
      : sheet_(sheet), policy_(policy), request_(request), body_(body) {}

  void enforcement(const Operation* operation) const {
    using Mode = policies::Enforcement::Mode;
    const auto& [mode, percent] = policy_.enforcement;
    const bool off = mode == Mode::off;
    line("policy", policy_.name + (off ? " (off: the request passes through)" : ""));
    std::string text = off ? "off" : mode == Mode::shadow ? "shadow" : "enforce";
    if (percent < 100) text += " for " + std::to_string(percent) + "% of fingerprints";
    if (percent < 100 && operation != nullptr) {
      const bool inside = policies::in_share(operation->fingerprint, percent);
      text += inside ? ", this one among them" : ", this one passes through";
    }
    line("enforcement", text);
  }

  void names(const Operation* operation) const {
    line("namespace", policy_.name_space);
    line("fingerprint", operation != nullptr ? operation->fingerprint.hex() : "none");
    fields(policy_.fingerprint);
    line("scope", policy_.scope.empty() ? "shared" : "");
    fields(policy_.scope);
    if (policy_.payload.empty()) {
      line("payload", "not compared");
    } else {
      line("payload", operation != nullptr ? operation->payload.value().hex() : "none");
      fields(policy_.payload);
    }
  }

  void entity(const Operation* operation) const {
    if (!policy_.entity) return line("entity", "none");
    const policies::EntityRule& rule = *policy_.entity;
    line("entity", operation != nullptr ? rule.type + " " + printable(operation->entity->id)
                                        : rule.type + " unknown");
    fields(rule.id);
    line("turn", rule.wait.count() > 0 ? "waits " + duration_text(rule.wait) : "waits for none");
    if (rule.sequence) {
      const bool known = operation != nullptr && operation->entity->sequence;
      std::string text = known ? store::text(*operation->entity->sequence) : "none";
      if (rule.sequence->equal_passes) text += "; an equal one goes through";
      line("sequence", text);
      fields({*rule.sequence});
    }
    if (rule.closes) line("closes", "for " + duration_text(*rule.closes));
    if (rule.unless_closed) line("unless_closed", "refused while the entity is closed");
  }

  void ends(const Operation* operation) const {
    for (std::size_t i = 0; i < policy_.ends.size(); ++i) {
      const policies::EndsRule& rule = policy_.ends[i];
      const std::string label = "ends[" + std::to_string(i) + "]";
      const auto other = policies::ended_operation(rule, policy_, request_, body_);
      const bool itself = other && operation != nullptr && *other == operation->fingerprint;
      line(label.c_str(), itself  ? "nothing: it would be this operation"
                          : other ? other->hex()
                                  : "nothing: a field is missing");
      fields(rule.fingerprint);
    }
  }

  void overrides(const Operation* operation) const {
    if (policy_.overrides.empty()) return;
    const std::string all = std::to_string(policy_.overrides.size());
    if (operation == nullptr) return line("override", "unknown, of " + all);
    const auto is_it = [&](const policies::Override& one) {
      return one.policy.get() == operation->policy;
    };
    const auto found = std::find_if(policy_.overrides.begin(), policy_.overrides.end(), is_it);
    if (found == policy_.overrides.end()) return line("override", "none of " + all);
    line("override", std::to_string(found - policy_.overrides.begin() + 1) + " of " + all);
    for (const Condition& condition : found->where) condition_line(condition);
  }

  void rate_limit(const Operation* operation, const Policy& effective) const {
    if (!effective.rate_limit) return line("rate_limit", "none");
    const policies::RateLimit& rate = *effective.rate_limit;
    line("rate_limit", std::to_string(rate.limit) + " per " + duration_text(rate.per) +
                           (rate.by.empty() ? " for each fingerprint" : ""));
    fields(rate.by);
    line("bucket", operation != nullptr ? operation->rate.value().hex() : "none");
  }

  void terms(const Policy& effective) const {
    const bool hold = effective.terms.unknown == store::OnUnknown::hold;
    line("lease", lease_text(effective));
    line("window", duration_text(effective.terms.window));
    line("unknown", hold ? "hold" : "retry");
    line("in_flight", in_flight_text(effective.in_flight));
    line("duplicate", effective.on_duplicate
                          ? "fixed answer " + std::to_string(effective.on_duplicate->status)
                          : "replay");
    if (effective.on_duplicate) return;
    for (const policies::ReplaySet& one : effective.replay.set) {
      sheet_.change(one.at_text, one.from.text);
    }
  }

  /// The rules about answers; the lists of statuses are explained only for a given answer.
  void outcome_rules(const Policy& effective) const {
    const auto& rules = effective.outcome.rules;
    for (std::size_t i = 0; i < rules.size(); ++i) {
      const std::string label = "rules[" + std::to_string(i) + "]";
      line(label.c_str(), std::string(word(rules[i].is)) + " where");
      for (const Condition& condition : rules[i].where) condition_line(condition);
    }
  }

  void answer(const AnswerMessage& message, const Policy& effective) const {
    const std::size_t bytes_max = effective.replay.body_bytes_max;
    const bool whole = message.body.size() <= bytes_max;
    const auto says = policies::classify(
        effective.outcome, {message.status, message.fields, message.body, whole}, bytes_max);
    std::string text = std::to_string(message.status) + ": " + word(says.verdict);
    text += says.rule ? " by outcome.rules[" + std::to_string(*says.rule) + "]" : " by its status";
    if (!says.unreadable.empty()) {
      text += ", since a rule could not be evaluated: " + says.unreadable;
    }
    line("answer", text);
  }

  /// As what the body is read; a selector that finds nothing may have that reason.
  void body() const {
    const std::string* unreadable = body_.unreadable_json();
    if (unreadable == nullptr) unreadable = body_.unreadable_form();
    if (unreadable != nullptr) return line("body", *unreadable);
    if (body_.content()->empty()) return line("body", "none");
    if (const auto* const parts = body_.parts()) {
      return line("body", "a form of " + std::to_string(parts->size()) + " parts");
    }
    if (body_.json() != nullptr) return line("body", as_json());
    if (body_.xml() != nullptr) return line("body", "XML");
    const bool form = body_.kind() == policies::BodyKind::form;
    line("body", form ? "a form" : "not JSON: " + body_.json_fault().text());
  }

  void refusal(const policies::SelectError& error) const {
    if (error.kind == policies::SelectError::Kind::bad_key) {
      return line("decision", "400 bad-key: " + printable(told(error)));
    }
    const bool pass = policies::lets_pass(policy_, error.kind);
    if (error.kind == policies::SelectError::Kind::unreadable) {
      return line("decision",
                  (pass ? "forwarded unprotected (on_unreadable: pass): " : "400 unreadable: ") +
                      error.detail);
    }
    line("decision", (pass ? "forwarded unprotected (on_missing: pass): " : "400 missing-key: ") +
                         printable(told(error)));
  }

 private:
  std::string as_json() const {
    using policies::BodyKind;
    const BodyKind kind = body_.kind();
    const bool said = kind == BodyKind::json || kind == BodyKind::unsaid;
    return said ? "JSON" : "JSON, though Content-Type does not say so: as content, not canonical";
  }

  static std::string lease_text(const Policy& policy) {
    if (!policy.adaptive_lease) return duration_text(policy.terms.lease);
    const policies::AdaptiveLease& lease = *policy.adaptive_lease;
    return "adaptive: three times the 99th percentile of its forwards, from " +
           duration_text(lease.min) + " to " + duration_text(lease.max) + ", never below " +
           duration_text(lease.floor) + " (upstream.response_timeout)";
  }

  static std::string in_flight_text(const policies::InFlightRule& rule) {
    using Action = policies::InFlightRule::Action;
    if (rule.action == Action::wait) return "wait " + duration_text(rule.timeout);
    return rule.action == Action::acknowledge ? "acknowledge" : "reject";
  }

  void line(const char* label, std::string_view text) const { sheet_.line(label, text); }

  void fields(const std::vector<Selector>& selectors) const {
    for (const auto& [selector, value] :
         policies::selected_fields(selectors, policy_, request_, body_)) {
      if (value) {
        sheet_.field(selector, *value);
      } else {
        sheet_.no_field(selector, without_value(selector, value.error()));
      }
    }
  }

  static std::string without_value(const std::string& selector, const policies::SelectError& why) {
    using Kind = policies::SelectError::Kind;
    if (why.kind == Kind::unreadable) return "cannot be read: " + why.detail;
    if (why.kind == Kind::bad_key) return "is malformed: " + why.detail;
    if (!why.expected.empty()) return "is not " + std::string(why.expected);
    // The reason stands behind the selector.
    const bool reason = why.detail.starts_with(selector);
    return "is missing" + (reason ? why.detail.substr(selector.size()) : "");
  }

  static const char* word(policies::Verdict verdict) {
    switch (verdict) {
      case policies::Verdict::complete:
        return "complete";
      case policies::Verdict::release:
        return "release";
      case policies::Verdict::ambiguous:
        break;
    }
    return "ambiguous";
  }

  void condition_line(const Condition& condition) const {
    std::string text;
    if (condition.present) text = *condition.present ? "is present" : "is missing";
    if (condition.regex) text = "matches " + condition.regex->pattern();
    for (const std::string& one : condition.any_of) {
      text += (text.empty() ? "is " : " or ") + one;
    }
    sheet_.condition(condition.selector.text, text);
  }

  Sheet& sheet_;
  const Policy& policy_;
  const RequestView& request_;
  Document& body_;
};

}  // namespace

void explain_policy(Sheet& sheet, const Policy& policy, const RequestView& request, Document& body,
                    const AnswerMessage* answer) {
  const auto selected = policies::select_operation(policy, request, body);
  const Operation* const operation = selected ? &*selected : nullptr;
  // Which override applies is asked of the operation's own selection; without one the policy's own
  // only the terms can be shown.
  const Policy& effective = operation != nullptr ? *operation->policy : policy;
  const Explanation explanation(sheet, policy, request, body);
  explanation.enforcement(operation);
  explanation.names(operation);
  explanation.entity(operation);
  explanation.ends(operation);
  explanation.overrides(operation);
  explanation.rate_limit(operation, effective);
  explanation.terms(effective);
  explanation.outcome_rules(effective);
  explanation.body();
  if (answer != nullptr) explanation.answer(*answer, effective);
  if (!selected) explanation.refusal(selected.error());
}

}  // namespace onceproxy::cli
