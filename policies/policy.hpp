// Policy: one policy of the configuration, validated, compiled and immutable. config/ fills these
// structs, and policy_set.hpp, select.hpp and outcome.hpp read them. policies/README.md describes
// what each key is for, and which incident it prevents. Thread-safe: const after construction.
#pragma once

#include <re2/re2.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "policies/cors.hpp"
#include "policies/delivery.hpp"
#include "policies/media_type.hpp"
#include "policies/refusal.hpp"
#include "store/sequence.hpp"
#include "store/terms.hpp"

namespace onceproxy::policies {

/// A compiled expression, shared because policies are copied at a reload.
using Regex = std::shared_ptr<const re2::RE2>;
class XPath;

/// The source of a selector.
enum class Source {
  header,
  query,
  path,
  cookie,
  body,
  form,
  method,
  target,
  content,
  xml,
  constant,
  client_key,
  client_certificate,
  status,  ///< of an answer
};

/// How a selected text is encoded.
enum class Decode { none, base64, percent };

/// Selects one field of a request.
struct Selector {
  Source source = Source::constant;
  /// header, query, path, cookie, form: the field's name. body: the JSON Pointer (RFC 6901), in
  /// which a segment `*` is every element of an array. constant: the text. client_key: the header.
  /// client_certificate: san_uri, san_dns, subject or sha256. xml: the expression. target: empty
  /// for the unchanged target, "normal" for its path in normal form.
  std::string name;
  /// body: the unescaped reference tokens of `name`.
  std::vector<std::string> pointer;
  /// xml: the compiled `name`.
  std::shared_ptr<const XPath> xpath;
  /// content: the parts that are left out, as JSON Pointers; for a form the fields with that name.
  std::vector<std::vector<std::string>> except;
  /// body: the fields of each selected value that are kept together in an array.
  std::vector<std::vector<std::string>> take;
  Decode decode = Decode::none;
  /// The text is JSON, and this pointer selects the value in it.
  std::optional<std::vector<std::string>> json;
  /// Only the match of the group in this expression is used, at the first position where the
  /// expression matches.
  Regex capture;
  bool lower = false;
  bool trim = false;
  bool sort = false;
  /// The decimal places to which a number is rounded, half away from zero. 0 to 18.
  std::optional<int> round;
  std::optional<std::string> default_value;
  /// Only for client_key.
  Regex pattern;
  /// The selector that is used if this field is missing. `default_value` can only be in the last
  /// one of a chain.
  std::shared_ptr<const Selector> otherwise;
  /// The selector as an operator writes it, for messages: "body: /driver_id".
  std::string text;
};

/// A condition on a header field in `match.headers`.
struct HeaderCondition {
  std::string name;
  struct Present {
    bool there = true;  ///< false: the field must not be there
  };
  /// A media type, only if the field is Content-Type.
  std::variant<std::string, Regex, Present, MediaType> is;
};

/// A condition on a selected field: `{body: /type, equals: dispatch}`.
struct Condition {
  Selector selector;
  /// One text for `equals`, several for `in`; compared with the field's text.
  std::vector<std::string> any_of;
  Regex regex;
  /// Whether the field must exist, with any value, or must be missing.
  std::optional<bool> present = std::nullopt;
};

/// One segment of a path template.
struct PathSegment {
  enum class Kind { literal, capture, rest } kind = Kind::literal;
  /// The literal in normal form, or the capture's name.
  std::string text;
};

struct Match {
  /// Empty: every method. Upper case.
  std::vector<std::string> methods;
  /// Also covers a request whose overriding method (method_override.hpp) is one of `methods`.
  bool method_override = false;
  /// Empty without `path_regex`: every path. `rest` only at the end.
  std::vector<PathSegment> path;
  bool has_path = false;
  /// Matches the whole path; named groups are captures.
  Regex path_regex;
  std::vector<HeaderCondition> headers;
  std::vector<Condition> where;
};

/// The treatment of a request that lacks a selected field, or whose body cannot be read.
enum class OnMissing { reject, pass };
enum class OnStoreError { reject, forward };

/// The fixed answer for a duplicate of a completed operation, in place of the stored answer.
struct FixedAnswer {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

/// A set of statuses, written as classes (5xx) and single ones; a single one takes precedence over
/// a class.
class StatusSet {
 public:
  void add(int status);
  void add_class(int hundreds);
  bool has_single(int status) const;
  bool has_class(int hundreds) const;

 private:
  std::vector<int> singles_;
  std::vector<int> classes_;
};

/// The meaning of an answer for the operation.
enum class Verdict {
  complete,   ///< it happened; remember the answer
  release,    ///< it did not happen; free the key
  ambiguous,  ///< answered by something in between; as unknown as no answer
};

/// A rule for answers for which all conditions hold: `status`, `header`, `body` and `content` are
/// those of the answer.
struct OutcomeRule {
  std::vector<Condition> where;
  Verdict is = Verdict::complete;
};

struct OutcomeRules {
  StatusSet release;
  StatusSet ambiguous;
  /// Evaluated before the statuses; the first one that applies decides.
  std::vector<OutcomeRule> rules = {};
};

/// A value in a JSON answer that is replaced when the answer is replayed to another request.
struct ReplaySet {
  /// Its position in the answer: the reference tokens of a JSON Pointer without `*`.
  std::vector<std::string> at;
  /// The same pointer as written.
  std::string at_text;
  /// The selector of the new value in the request.
  Selector from;
};

struct ReplayRules {
  std::size_t body_bytes_max = std::size_t{256} * 1024;
  /// Lower case.
  std::vector<std::string> drop_headers{"set-cookie", "set-cookie2", "www-authenticate",
                                        "authentication-info", "clear-site-data"};
  /// Applied in order.
  std::vector<ReplaySet> set = {};
};

struct Enforcement {
  enum class Mode {
    enforce,
    shadow,  ///< decides and counts, forwards everything
    off,
  } mode = Mode::enforce;
  /// The share of fingerprints to which `mode` applies; the others pass as with `off`. 0 to 100.
  int percent = 100;

  /// Whether the policy may refuse a request before its fingerprint is known.
  bool holds_for_all() const { return mode == Mode::enforce && percent == 100; }
};

/// The answer for a duplicate while the first request is under way.
struct InFlightRule {
  enum class Action { reject, wait, acknowledge } action = Action::reject;
  /// wait: the longest time to wait.
  std::chrono::milliseconds timeout{10'000};
};

/// The selector of an entity's sequence, and the order of its values.
struct SequenceRule : Selector {
  SequenceRule() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): a selector alone is of integers.
  SequenceRule(Selector selector) : Selector(std::move(selector)) {}

  store::Sequence::Kind kind() const { return as.value_or(store::Sequence::Kind::integer); }

  /// Absent: not written, which means integer.
  std::optional<store::Sequence::Kind> as;
  /// Whether an operation with the entity's highest completed sequence is admitted.
  bool equal_passes = false;
};

struct EntityRule {
  /// Shared by all policies with this type.
  std::string type;
  std::vector<Selector> id;
  std::chrono::milliseconds wait{5'000};
  std::optional<SequenceRule> sequence;
  std::optional<std::chrono::milliseconds> closes;
  bool unless_closed = false;
};

/// Operations that are forgotten when an operation of the policy completes.
struct EndsRule {
  /// Empty: the policy's namespace.
  std::string name_space;
  /// Absent: the policy's scope.
  std::optional<std::vector<Selector>> scope;
  std::vector<Selector> fingerprint;
};

struct RateLimit {
  /// Above zero.
  std::uint32_t limit = 1;
  std::chrono::milliseconds per{1'000};
  /// Empty: the fingerprint is used.
  std::vector<Selector> by;
};

/// The answers of `respond` in place of each refusal.
using Responses = std::array<std::optional<FixedAnswer>, refusal_count>;

/// The selectors for the digests of an operation.
struct Selection {
  std::vector<Selector> fingerprint;
  std::vector<Selector> scope;
  std::vector<Selector> payload;
};

/// A lease that depends on how long the policy's forwards take.
struct AdaptiveLease {
  std::chrono::milliseconds min{5'000};
  std::chrono::milliseconds max{300'000};
  /// A forward that times out may have taken longer than this time: upstream.response_timeout.
  std::chrono::milliseconds floor{0};
};

struct Policy;

struct Override {
  std::vector<Condition> where;
  /// The policy with the keys of the override. name, match, fingerprint, scope, payload, entity,
  /// ends, enforcement and max_concurrency are the policy's, and it has no overrides.
  std::shared_ptr<const Policy> policy;
};

struct Policy {
  std::string name;
  std::string name_space;
  Match match;
  std::vector<Selector> fingerprint;
  /// Empty: keys are not partitioned (`scope: shared`, or there is nothing to replay).
  std::vector<Selector> scope;
  /// Empty: the payloads of requests with the same fingerprint are not compared.
  std::vector<Selector> payload;
  /// The selectors of the previous version in place of the three (earlier.hpp); nullptr: the same.
  std::shared_ptr<const Selection> earlier;
  OnMissing on_missing = OnMissing::reject;
  OnMissing on_unreadable = OnMissing::reject;
  /// With `adaptive_lease`, its lease is used until there are enough observations.
  store::Terms terms;
  std::optional<AdaptiveLease> adaptive_lease;
  InFlightRule in_flight;
  /// Absent: replay the stored answer.
  std::optional<FixedAnswer> on_duplicate;
  OutcomeRules outcome;
  ReplayRules replay;
  std::optional<EntityRule> entity;
  std::vector<EndsRule> ends;
  std::optional<RateLimit> rate_limit;
  Responses respond;
  /// The first whose `where` holds applies.
  std::vector<Override> overrides;
  /// As in the configuration; the admin API may change it while the process runs.
  Enforcement enforcement;
  OnStoreError on_store_error = OnStoreError::reject;
  /// The largest number of requests of this policy that are forwarded at once; 0: no limit.
  std::size_t concurrency_max = 0;
  /// Absent: the rules of the top level.
  std::optional<Cors> cors = std::nullopt;
  /// nullptr: requests are forwarded. Otherwise they are stored and delivered with these rules.
  std::shared_ptr<const DeliveryRules> delivery = nullptr;
  /// Set by PolicySet, in overrides too: the position in the file, from 0.
  std::size_t index = 0;
};

}  // namespace onceproxy::policies
