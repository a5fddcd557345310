#include "config/policy_reader.hpp"

#include "config/answer_reader.hpp"
#include "config/match_reader.hpp"
#include "config/policy_checks.hpp"
#include "config/scalars.hpp"
#include "config/selector_reader.hpp"

namespace onceproxy::config {
namespace {

using namespace std::chrono_literals;
using policies::Enforcement;
using policies::InFlightRule;
using policies::OnMissing;
using policies::OnStoreError;
using policies::Policy;
using policies::Selector;

/// A policy while it is read.
struct Draft {
  Draft() {
    policy.match = default_match();
    outcome = default_outcome();
  }

  Policy policy;
  OutcomeDraft outcome;
};

template <typename T>
auto in(T Policy::*member) {
  return [member](Draft& draft) -> T& { return draft.policy.*member; };
}

std::optional<std::string> wrong_name(std::string_view name) {
  static constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyz0123456789-";
  const bool ok = !name.empty() && name.size() <= 63 &&
                  name.find_first_not_of(allowed) == std::string_view::npos;
  if (ok) return std::nullopt;
  return "is no name: 1 to 63 of a-z, 0-9 and -";
}

Kind<std::string> name_text(std::string what) {
  Kind<std::string> kind = text(std::move(what), wrong_name);
  kind.schema = [] {
    return or_variable(Json::object({{"type", "string"}, {"pattern", "^[a-z0-9-]{1,63}$"}}));
  };
  return kind;
}

/// A list of selectors, or one word that stands for a certain list.
Kind<std::vector<Selector>> selectors_or_word(Kind<std::vector<Selector>> list, std::string word,
                                              std::vector<Selector> meaning) {
  Kind<std::vector<Selector>> kind = list;
  kind.read = [list, word, meaning](const Node& node) -> std::optional<std::vector<Selector>> {
    if (!node.is_scalar()) return list.read(node);
    if (node.text() == word) return meaning;
    node.expected("a list of selectors or the word " + word);
    return std::nullopt;
  };
  kind.schema = [list, word] {
    return Json::object({{"anyOf", Json::array({list.schema(), word_schema({word})})}});
  };
  return kind;
}

void check_in_flight(const Node& node, const InFlightRule& rule) {
  const auto timeout = node.get("timeout");
  const auto action = node.get("action");
  // An action that could not be read may have been `wait`.
  const bool unread = action && action->text() != "reject" && action->text() != "acknowledge";
  if (!timeout || unread || rule.action == InFlightRule::Action::wait) return;
  timeout->problem("only who waits has a timeout; write action: wait, or leave it out");
}

Kind<InFlightRule> in_flight() {
  using Action = InFlightRule::Action;
  return section<InFlightRule>(
      {"in_flight",
       {key<InFlightRule>("action", &InFlightRule::action,
                          word<Action>({{"reject", Action::reject},
                                        {"wait", Action::wait},
                                        {"acknowledge", Action::acknowledge}}),
                          "What a duplicate of a request under way gets. reject: 409 with "
                          "Retry-After. wait: the first one's result. acknowledge: 202."),
        key<InFlightRule>("timeout", &InFlightRule::timeout, duration(1ms, 5min),
                          "With wait: how long, from 1ms to 5m; then as reject.")},
       {}},
      check_in_flight);
}

Kind<Enforcement> enforcement() {
  using Mode = Enforcement::Mode;
  return section<Enforcement>(
      {"enforcement",
       {key<Enforcement>(
            "mode", &Enforcement::mode,
            word<Mode>({{"enforce", Mode::enforce}, {"shadow", Mode::shadow}, {"off", Mode::off}}),
            "shadow: the policy decides and counts, and everything is forwarded. off: requests "
            "pass as if no policy covered them; later policies are not asked."),
        key<Enforcement>("percent", &Enforcement::percent, as<int>(integer(0, 100)),
                         "The share of fingerprints that mode holds for; the others pass as with "
                         "off. One fingerprint is always on the same side.")},
       {}});
}

std::vector<Key<Draft>> naming_rows() {
  return {
      key<Draft>("name", in(&Policy::name), name_text("a policy's name"),
                 "Names the policy in headers, logs and metrics; unique.", Need::required),
      key<Draft>("namespace", in(&Policy::name_space), name_text("a namespace"),
                 "Default: the name. Two policies with one namespace share fingerprints; giving "
                 "it keeps them when the policy is renamed."),
      key<Draft>("match", in(&Policy::match), match(), "Which requests the policy covers."),
      key<Draft>("fingerprint", in(&Policy::fingerprint),
                 selectors_or_word(selectors(Sources::all, Empty::refused), "client_key",
                                   {default_client_key()}),
                 "The fields that name one operation, in order. client_key is short for "
                 "[{client_key: Idempotency-Key}].",
                 Need::required),
      key<Draft>("scope", in(&Policy::scope),
                 selectors_or_word(selectors(Sources::no_client_key, Empty::refused), "shared", {}),
                 "The fields that partition keys per caller, or shared for no partition. "
                 "Required when duplicates are replayed."),
      key<Draft>("payload", in(&Policy::payload), selectors(Sources::no_client_key, Empty::allowed),
                 "What must not differ between two requests with one fingerprint, else 422. "
                 "Default: [{method: true}, {target: true}, {content: true}] with client_key, "
                 "nothing otherwise."),
      key<Draft>("on_missing", in(&Policy::on_missing),
                 word<OnMissing>({{"reject", OnMissing::reject}, {"pass", OnMissing::pass}}),
                 "What a request without a selected field gets. reject: 400. pass: it is "
                 "forwarded unprotected."),
  };
}

std::vector<Key<Draft>> outcome_rows() {
  return {
      key<Draft>(
          "lease", [](Draft & d) -> auto& { return d.policy.terms.lease; }, duration(10ms, 24h),
          "How long a reservation that nobody holds any more may stay unfinished, from "
          "10ms to 24h."),
      key<Draft>(
          "window", [](Draft & d) -> auto& { return d.policy.terms.window; },
          duration(10ms, 24h * 366),
          "How long a completed operation is remembered, from 10ms to 366d."),
      key<Draft>("in_flight", in(&Policy::in_flight), in_flight(),
                 "What a duplicate gets while the first request is under way."),
      key<Draft>("on_duplicate", in(&Policy::on_duplicate), on_duplicate(),
                 "What a duplicate of a completed operation gets: the stored answer, or a fixed "
                 "one."),
      key<Draft>("outcome", &Draft::outcome, outcome(),
                 "What the upstream's status says about the operation."),
      key<Draft>("replay", in(&Policy::replay), replay(), "What is kept of a response."),
      key<Draft>("enforcement", in(&Policy::enforcement), enforcement(),
                 "Whether the policy is in force."),
      key<Draft>("on_store_error", in(&Policy::on_store_error),
                 word<OnStoreError>(
                     {{"reject", OnStoreError::reject}, {"forward", OnStoreError::forward}}),
                 "What a request gets when the store cannot promise. reject: 503. forward: it "
                 "goes through unprotected."),
      key<Draft>("max_concurrency", in(&Policy::concurrency_max), integer(0, 1'000'000),
                 "Requests of this policy that are forwarded at once; 0 is no limit."),
  };
}

bool has_client_key(const Policy& policy) {
  for (const Selector& selector : policy.fingerprint) {
    if (selector.source == policies::Source::client_key) return true;
  }
  return false;
}

std::vector<Selector> whole_request() {
  std::vector<Selector> selectors(3);
  selectors[0].source = policies::Source::method;
  selectors[0].text = "method: true";
  selectors[1].source = policies::Source::target;
  selectors[1].text = "target: true";
  selectors[2].source = policies::Source::content;
  selectors[2].text = "content: true";
  return selectors;
}

void complete(const Node& node, Draft& draft) {
  Policy& policy = draft.policy;
  if (!node.get("namespace")) policy.name_space = policy.name;
  if (!node.get("payload") && has_client_key(policy)) policy.payload = whole_request();
  policy.outcome = draft.outcome.rules;
  policy.terms.unknown = draft.outcome.unknown;
  check_policy(node, policy);
}

}  // namespace

Kind<Policy> policy() {
  Keys<Draft> keys{
      "a policy", naming_rows(), {"entity", "rate_limit", "respond", "overrides", "preset"}};
  for (Key<Draft>& row : outcome_rows()) keys.rows.push_back(std::move(row));
  const Kind<Draft> draft = section<Draft>(std::move(keys), complete);
  Kind<Policy> kind;
  kind.names = draft.names;
  kind.schema = draft.schema;
  kind.read = [draft](const Node& node) -> std::optional<Policy> {
    auto value = draft.read(node);
    if (!value) return std::nullopt;
    return std::move(value->policy);
  };
  return kind;
}

Kind<std::vector<Policy>> policy_list() {
  Kind<std::vector<Policy>> kind = list("policies", policy());
  kind.read = [any = kind.read](const Node& node) {
    auto value = any(node);
    if (value && value->size() == node.items().size()) check_policies(node, *value);
    return value;
  };
  return kind;
}

}  // namespace onceproxy::config
