// Policy: one rule as the configuration wrote it, checked and compiled, immutable from then on.
// The data model that config/ fills and that policy_set.hpp, select.hpp and outcome.hpp read. What
// each key is for, and which incident it prevents, is told in policies/README.md. Thread-safe:
// const after construction.
#pragma once

#include <re2/re2.h>

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "store/terms.hpp"

namespace onceproxy::policies {

/// A compiled expression, shared because policies are copied at a reload.
using Regex = std::shared_ptr<const re2::RE2>;

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
  constant,
  client_key,
};

/// Names one field of a request.
struct Selector {
  Source source = Source::constant;
  /// header, query, path, cookie, form: the field's name. body: the JSON Pointer (RFC 6901), where
  /// a segment `*` is every element of an array. constant: the text. client_key: the header.
  std::string name;
  /// body: `name` split into its reference tokens, unescaped.
  std::vector<std::string> pointer;
  bool lower = false;
  bool trim = false;
  bool sort = false;
  /// Decimal places to round a number to, half away from zero. 0 to 18.
  std::optional<int> round;
  std::optional<std::string> default_value;
  /// client_key only.
  Regex pattern;
  /// As an operator would write it, for messages: "body: /driver_id".
  std::string text;
};

/// A condition on a header field in `match.headers`.
struct HeaderCondition {
  std::string name;
  struct Present {};
  std::variant<std::string, Regex, Present> is;
};

/// A condition on a selected field: `{body: /type, equals: dispatch}`.
struct Condition {
  Selector selector;
  /// One for `equals`, several for `in`; compared with the field's text.
  std::vector<std::string> any_of;
  Regex regex;
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
  /// Empty with no `path_regex`: every path. `rest` only at the end.
  std::vector<PathSegment> path;
  bool has_path = false;
  /// Matches the whole path; named groups are captures.
  Regex path_regex;
  std::vector<HeaderCondition> headers;
  std::vector<Condition> where;
};

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

struct OutcomeRules {
  StatusSet release;
  StatusSet ambiguous;
};

struct ReplayRules {
  std::size_t body_bytes_max = std::size_t{256} * 1024;
  /// Lower case.
  std::vector<std::string> drop_headers{"set-cookie", "www-authenticate"};
};

struct Enforcement {
  enum class Mode { enforce, off } mode = Mode::enforce;
};

struct Policy {
  std::string name;
  std::string name_space;
  Match match;
  std::vector<Selector> fingerprint;
  /// Empty: no partition (`scope: shared`, or nothing to replay).
  std::vector<Selector> scope;
  /// Empty: requests with one fingerprint are never told apart.
  std::vector<Selector> payload;
  OnMissing on_missing = OnMissing::reject;
  store::Terms terms;
  /// Absent: replay the stored answer.
  std::optional<FixedAnswer> on_duplicate;
  OutcomeRules outcome;
  ReplayRules replay;
  Enforcement enforcement;
  OnStoreError on_store_error = OnStoreError::reject;
  /// Set by PolicySet: place in the file, from 0.
  std::size_t index = 0;
};

}  // namespace onceproxy::policies
