// Policy: one rule as the configuration wrote it, checked and compiled, immutable from then on.
// The data model that config/ fills and that policy_set.hpp, select.hpp and outcome.hpp read. What
// each key is for, and which incident it prevents, is described in policies/README.md. Thread-safe:
// const after construction.
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

/// Where a selector reads.
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

/// Names one field of a request.
struct Selector {
  Source source = Source::constant;
  /// header, query, path, cookie, form: the field's name. body: the JSON Pointer (RFC 6901), where
  /// a segment `*` is every element of an array. constant: the text. client_key: the header.
  /// client_certificate: san_uri, san_dns, subject or sha256. xml: the expression.
  /// target: empty for the target as it came, "normal" for its path in normal form.
  std::string name;
  /// body: `name` split into its reference tokens, unescaped.
  std::vector<std::string> pointer;
  /// xml: `name` compiled.
  std::shared_ptr<const XPath> xpath;
  /// content: what does not count, as pointers into JSON; of a form the fields of that name.
  std::vector<std::vector<std::string>> except;
  /// body: of each selected value these fields, kept together in an array.
  std::vector<std::vector<std::string>> take;
  Decode decode = Decode::none;
  /// The text is JSON, and this pointer names the value in it.
  std::optional<std::vector<std::string>> json;
  /// Of the text only what its one group matches, where it first matches.
  Regex capture;
  bool lower = false;
  bool trim = false;
  bool sort = false;
  /// Decimal places to round a number to, half away from zero. 0 to 18.
  std::optional<int> round;
  std::optional<std::string> default_value;
  /// client_key only.
  Regex pattern;
  /// Read instead where this field is missing; before `default_value`, which only the last of a
  /// chain has.
  std::shared_ptr<const Selector> otherwise;
  /// As an operator would write it, for messages: "body: /driver_id".
  std::string text;
};

/// A condition on a header field in `match.headers`.
struct HeaderCondition {
  std::string name;
  struct Present {
    bool there = true;  ///< false: the field must not be there
  };
  /// A media type only where the field is Content-Type.
  std::variant<std::string, Regex, Present, MediaType> is;
};

/// A condition on a selected field: `{body: /type, equals: dispatch}`.
struct Condition {
  Selector selector;
  /// One for `equals`, several for `in`; compared with the field's text.
  std::vector<std::string> any_of;
  Regex regex;
  /// Whether the field must be there, whatever its value, or must be missing.
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
  /// Also a request whose overriding method (method_override.hpp) is one of `methods`.
  bool method_override = false;
  /// Empty with no `path_regex`: every path. `rest` only at the end.
  std::vector<PathSegment> path;
  bool has_path = false;
  /// Matches the whole path; named groups are captures.
  Regex path_regex;
  std::vector<HeaderCondition> headers;
  std::vector<Condition> where;
};

/// What becomes of a request that lacks a selected field, or whose body cannot be read.
enum class OnMissing { reject, pass };
enum class OnStoreError { reject, forward };

/// What a duplicate of a completed operation gets instead of the stored answer.
struct FixedAnswer {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
};

/// A set of statuses written as classes (5xx) and single ones; a single one wins over a class.
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

/// What an answer says about the operation.
enum class Verdict {
  complete,   ///< it happened; remember the answer
  release,    ///< it did not happen; free the key
  ambiguous,  ///< answered by something in between; as unknown as no answer
};

/// What an answer says for which all conditions hold: `status`, `header`, `body` and `content` are
/// those of the answer.
struct OutcomeRule {
  std::vector<Condition> where;
  Verdict is = Verdict::complete;
};

struct OutcomeRules {
  StatusSet release;
  StatusSet ambiguous;
  /// Asked before the statuses; the first that applies decides.
  std::vector<OutcomeRule> rules = {};
};

/// A value of a JSON answer that each request which it is replayed to gets its own of.
struct ReplaySet {
  /// Where it stands in the answer: the reference tokens of a JSON Pointer, none of them `*`.
  std::vector<std::string> at;
  /// The same as it is written.
  std::string at_text;
  /// What is put there, out of the request that asks.
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
  /// The share of fingerprints that `mode` holds for; the others pass as with `off`. 0 to 100.
  int percent = 100;

  /// Whether the policy may refuse a request before its fingerprint is known.
  bool holds_for_all() const { return mode == Mode::enforce && percent == 100; }
};

/// What a duplicate gets while the first request is under way.
struct InFlightRule {
  enum class Action { reject, wait, acknowledge } action = Action::reject;
  /// wait: no longer than this.
  std::chrono::milliseconds timeout{10'000};
};

/// The selector of an entity's sequence, and how what it finds is ordered.
struct SequenceRule : Selector {
  SequenceRule() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): a selector alone is of integers.
  SequenceRule(Selector selector) : Selector(std::move(selector)) {}

  store::Sequence::Kind kind() const { return as.value_or(store::Sequence::Kind::integer); }

  /// Absent: not written, which is integer.
  std::optional<store::Sequence::Kind> as;
  /// An operation at the entity's highest completed sequence goes through.
  bool equal_passes = false;
};

struct EntityRule {
  /// Shared by all policies that name it.
  std::string type;
  std::vector<Selector> id;
  std::chrono::milliseconds wait{5'000};
  std::optional<SequenceRule> sequence;
  std::optional<std::chrono::milliseconds> closes;
  bool unless_closed = false;
};

/// Operations whose memory ends when one of the policy's completes.
struct EndsRule {
  /// Empty: the policy's.
  std::string name_space;
  /// Absent: the policy's.
  std::optional<std::vector<Selector>> scope;
  std::vector<Selector> fingerprint;
};

struct RateLimit {
  /// Above zero.
  std::uint32_t limit = 1;
  std::chrono::milliseconds per{1'000};
  /// Empty: the fingerprint.
  std::vector<Selector> by;
};

/// What `respond` gives in the place of each refusal.
using Responses = std::array<std::optional<FixedAnswer>, refusal_count>;

/// The selectors that the digests of an operation are made of.
struct Selection {
  std::vector<Selector> fingerprint;
  std::vector<Selector> scope;
  std::vector<Selector> payload;
};

/// A lease that follows how long the policy's forwards take.
struct AdaptiveLease {
  std::chrono::milliseconds min{5'000};
  std::chrono::milliseconds max{300'000};
  /// A forward that is given up after this time may have taken longer: upstream.response_timeout.
  std::chrono::milliseconds floor{0};
};

struct Policy;

struct Override {
  std::vector<Condition> where;
  /// The policy with the override's keys in place of its own: name, match, fingerprint, scope,
  /// payload, entity, ends, enforcement and max_concurrency are the policy's, and it has no
  /// overrides.
  std::shared_ptr<const Policy> policy;
};

struct Policy {
  std::string name;
  std::string name_space;
  Match match;
  std::vector<Selector> fingerprint;
  /// Empty: no partition (`scope: shared`, or nothing to replay).
  std::vector<Selector> scope;
  /// Empty: the payloads of requests with one fingerprint are not compared.
  std::vector<Selector> payload;
  /// What the version of the digests before this one selected in place of the three (earlier.hpp);
  /// nullptr: the same.
  std::shared_ptr<const Selection> earlier;
  OnMissing on_missing = OnMissing::reject;
  OnMissing on_unreadable = OnMissing::reject;
  /// With `adaptive_lease`, its lease is what holds until enough was observed.
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
  /// As the configuration says; the admin API may change it while the process runs.
  Enforcement enforcement;
  OnStoreError on_store_error = OnStoreError::reject;
  /// Requests of this policy that are forwarded at once; 0: no limit.
  std::size_t concurrency_max = 0;
  /// Absent: what the configuration says for all.
  std::optional<Cors> cors = std::nullopt;
  /// nullptr: requests are forwarded. Else they are stored, and delivered as it says.
  std::shared_ptr<const DeliveryRules> delivery = nullptr;
  /// Set by PolicySet, in overrides too: place in the file, from 0.
  std::size_t index = 0;
};

}  // namespace onceproxy::policies
