#include "config/policy_rows.hpp"

#include "config/cors_reader.hpp"
#include "config/delivery_reader.hpp"
#include "config/ends_reader.hpp"
#include "config/entity_reader.hpp"
#include "config/in_flight_reader.hpp"
#include "config/match_reader.hpp"
#include "config/presets.hpp"
#include "config/scalars.hpp"
#include "config/selector_reader.hpp"

namespace onceproxy::config {
namespace {

using namespace std::chrono_literals;
using policies::Enforcement;
using policies::OnMissing;
using policies::OnStoreError;
using policies::Policy;
using policies::Selector;

template <typename T>
auto in(T Policy::*member) {
  return [member](PolicyDraft& draft) -> T& { return draft.policy.*member; };
}

std::optional<std::string> wrong_name(std::string_view name) {
  static constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyz0123456789-";
  const bool ok = !name.empty() && name.size() <= 63 &&
                  name.find_first_not_of(allowed) == std::string_view::npos;
  if (ok) return std::nullopt;
  return "is not a valid name: 1 to 63 of a-z, 0-9 and -";
}

Kind<Enforcement> enforcement() {
  using Mode = Enforcement::Mode;
  return section<Enforcement>(
      {"enforcement",
       {key<Enforcement>(
            "mode", &Enforcement::mode,
            word<Mode>({{"enforce", Mode::enforce}, {"shadow", Mode::shadow}, {"off", Mode::off}}),
            "enforce: the policy is applied. shadow: the policy decides and counts, and every "
            "request is forwarded. off: requests are forwarded as if no policy covered them; later "
            "policies do not apply either."),
        key<Enforcement>(
            "percent", &Enforcement::percent, as<int>(integer(0, 100)),
            "The share of fingerprints to which mode applies, in percent; the others are forwarded "
            "as with off. The same fingerprint always gets the same treatment.")},
       {},
       {},
       "mode"});
}

/// Left out, it is what on_missing says, so the schema shows no default.
Key<PolicyDraft> on_unreadable_row() {
  Key<PolicyDraft> row =
      key<PolicyDraft>("on_unreadable", in(&Policy::on_unreadable),
                       word<OnMissing>({{"reject", OnMissing::reject}, {"pass", OnMissing::pass}}),
                       "How a request is treated if the policy needs its body and cannot read it: "
                       "the Content-Encoding cannot be decoded, or the body is declared as JSON, "
                       "or begins like JSON, and is not valid. reject: 400. pass: it is forwarded "
                       "unprotected. Default: the value of on_missing.");
  row.schema = [schema = row.schema] {
    Json json = schema();
    json.as_object().stable_erase("default");
    return json;
  };
  return row;
}

Kind<std::string> preset() {
  std::vector<std::pair<std::string, std::string>> choices;
  for (const std::string& name : preset_names()) choices.emplace_back(name, name);
  return word<std::string>(std::move(choices));
}

Key<PolicyDraft> lease_row() {
  Key<PolicyDraft> row = key<PolicyDraft>(
      "lease", &PolicyDraft::lease, lease(),
      "How long an operation stays reserved if its request has ended without an outcome, from 10ms "
      "to 24h; or adaptive, to follow the time that the policy's requests take.");
  row.read = [read = row.read](const Node& node, PolicyDraft& draft) {
    read(node, draft);
    draft.take_lease();
  };
  return row;
}

/// What the policy holds of it stands in two places.
Key<PolicyDraft> outcome_row() {
  Key<PolicyDraft> row =
      key<PolicyDraft>("outcome", &PolicyDraft::outcome, outcome(),
                       "What the status of the upstream's answer means for the operation.");
  row.read = [read = row.read](const Node& node, PolicyDraft& draft) {
    read(node, draft);
    draft.take_outcome();
  };
  return row;
}

/// A policy without it is not one with all of its defaults.
Key<PolicyDraft> delivery_row() {
  const auto kind = delivery();
  Key<PolicyDraft> row;
  row.name = "delivery";
  row.names = kind.names;
  row.read = [kind](const Node& node, PolicyDraft& draft) {
    if (auto value = kind.read(node)) draft.policy.delivery = *std::move(value);
  };
  row.schema = [kind] {
    Json schema = kind.schema();
    set_member(
        schema, "description",
        "Requests are stored as events, acknowledged with 202 and delivered to each listener, "
        "with retries until it accepts them. They are not forwarded while the client waits.");
    set_member(schema, "$comment", "absent by default");
    return schema;
  };
  return row;
}

}  // namespace

PolicyDraft::PolicyDraft() : outcome(default_outcome()) {
  policy.match = default_match();
  take_lease();
  take_outcome();
}

void PolicyDraft::take_lease() {
  policy.terms.lease = lease.time;
  policy.adaptive_lease = lease.adaptive;
}

void PolicyDraft::take_outcome() {
  policy.outcome = outcome.rules;
  policy.terms.unknown = outcome.unknown;
}

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
    return JsonObject({{"anyOf", JsonArray({list.schema(), word_schema({word})})}});
  };
  return kind;
}

Kind<std::string> name_text(std::string what) {
  Kind<std::string> kind = text(std::move(what), wrong_name);
  kind.schema = [] {
    return or_variable(JsonObject({{"type", "string"}, {"pattern", "^[a-z0-9-]{1,63}$"}}));
  };
  return kind;
}

std::vector<Key<PolicyDraft>> naming_rows() {
  return {
      key<PolicyDraft>("name", in(&Policy::name), name_text("a policy's name"),
                       "The name of the policy in headers, logs and metrics. It must be unique.",
                       Need::required),
      key<PolicyDraft>("preset", &PolicyDraft::preset, preset(),
                       "Sets the keys that fit a known sender. A key that is set in the policy "
                       "itself takes precedence."),
      key<PolicyDraft>(
          "namespace", in(&Policy::name_space), name_text("a namespace"),
          "Policies with the same namespace share fingerprints. Set it before a policy is renamed, "
          "so that the fingerprints stay the same. Default: the name."),
      key<PolicyDraft>("match", in(&Policy::match), match(), "Which requests the policy covers."),
      key<PolicyDraft>("fingerprint", in(&Policy::fingerprint),
                       selectors_or_word(selectors(Sources::all, Empty::refused), "client_key",
                                         {default_client_key()}),
                       "The fields that name one operation, in order. client_key is short for "
                       "[{client_key: Idempotency-Key}].",
                       Need::required),
      key<PolicyDraft>(
          "scope", in(&Policy::scope),
          selectors_or_word(selectors(Sources::no_client_key, Empty::refused), "shared", {}),
          "The fields that separate the keys of different callers, or shared if all callers share "
          "their keys. Required if duplicates are replayed."),
      key<PolicyDraft>("payload", in(&Policy::payload),
                       selectors(Sources::no_client_key, Empty::allowed),
                       "The fields that must be equal in two requests with the same fingerprint; "
                       "otherwise the second one gets 422. Default: [{method: true}, {target: "
                       "true}, {content: true}] with client_key, otherwise nothing."),
      key<PolicyDraft>("on_missing", in(&Policy::on_missing),
                       word<OnMissing>({{"reject", OnMissing::reject}, {"pass", OnMissing::pass}}),
                       "How a request without a selected field is treated. reject: 400. pass: it "
                       "is forwarded unprotected."),
      on_unreadable_row(),
  };
}

std::vector<Key<PolicyDraft>> treatment_rows() {
  return {
      lease_row(),
      key<PolicyDraft>(
          "window", [](PolicyDraft & d) -> auto& { return d.policy.terms.window; },
          duration(10ms, 24h * 366), "How long an operation is remembered after its completion."),
      key<PolicyDraft>("in_flight", in(&Policy::in_flight), in_flight(),
                       "How a duplicate is answered while the first request is under way."),
      key<PolicyDraft>("on_duplicate", in(&Policy::on_duplicate), on_duplicate(),
                       "How a duplicate of a completed operation is answered: with the stored "
                       "answer, or with a fixed one."),
      outcome_row(),
      key<PolicyDraft>("replay", in(&Policy::replay), replay(),
                       "Which parts of a response are stored."),
      key<PolicyDraft>("rate_limit", in(&Policy::rate_limit), rate_limit(),
                       "How often new operations are forwarded (GCRA); further ones get 429. "
                       "Duplicates do not count."),
      key<PolicyDraft>("respond", in(&Policy::respond), respond(),
                       "The answers of refusals, in place of the standard ones: a map from the "
                       "decision to status, headers and body."),
      key<PolicyDraft>("on_store_error", in(&Policy::on_store_error),
                       word<OnStoreError>(
                           {{"reject", OnStoreError::reject}, {"forward", OnStoreError::forward}}),
                       "How a request is treated while the store has failed. reject: 503. forward: "
                       "it is forwarded unprotected."),
  };
}

std::vector<Key<PolicyDraft>> general_rows() {
  return {
      key<PolicyDraft>("entity", in(&Policy::entity), entity(),
                       "The thing that a request acts on. Requests on one entity are forwarded one "
                       "at a time, in the order of their arrival."),
      key<PolicyDraft>("ends", in(&Policy::ends), ends(),
                       "Operations that are forgotten when an operation of this policy completes, "
                       "so that the next request for one of them is a new operation."),
      key<PolicyDraft>("enforcement", in(&Policy::enforcement), enforcement(),
                       "How the policy is enforced."),
      key<PolicyDraft>("max_concurrency", in(&Policy::concurrency_max), integer(0, 1'000'000),
                       "Maximum number of requests of this policy that are forwarded at the same "
                       "time. 0: no limit."),
      delivery_row(),
      key<PolicyDraft>(
          "cors", in(&Policy::cors), cors(),
          "Which web pages of other origins may read the answers that onceproxy itself gives to "
          "requests of this policy. Replaces `cors` at the top level."),
  };
}

}  // namespace onceproxy::config
