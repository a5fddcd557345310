// Fields: what selectors find in a request, as typed canonical text. Everything that depends on
// selected fields (fingerprints, payload digests, conditions, explanations) starts here.
// Pure; thread-safe as long as each thread has its own Document.
#pragma once

#include <span>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "policies/document.hpp"
#include "policies/policy.hpp"
#include "policies/request_view.hpp"

namespace onceproxy::policies {

/// Why a field has no value.
struct SelectError {
  enum class Kind { missing, bad_key, unreadable } kind = Kind::missing;
  /// missing: the selector as written.
  /// bad_key: what is wrong with the key, without the key.
  /// unreadable: Document::unreadable().
  std::string detail;
  /// missing: where the field is there and cannot be used, what it must be ("an integer"); a
  /// literal.
  std::string_view expected = {};
};

/// What kind of thing a value is. Part of what is digested, so that the text 1 and the number 1
/// stay two.
enum class ValueType : char {
  text = 't',   ///< header, query, … and JSON strings: the text itself
  json = 'j',   ///< any other JSON value, in canonical form; several values of one name: an array
  bytes = 'b',  ///< a body that is not JSON
};

struct Value {
  ValueType type = ValueType::text;
  std::string text;

  friend bool operator==(const Value&, const Value&) = default;
};

/// Where fields are read: the request, and the match whose captures `path` selectors name. Or an
/// answer, of which `request` then holds the headers.
struct Subject {
  const Match& match;
  const RequestView& request;
  Document& body;
  /// Of an answer.
  int status = 0;
};

/// Appends the field's text to `out` and says what it is. Where a field is missing the next of the
/// chain of `otherwise` is read, and at its end stands the last one's default; the error names the
/// first. A field of an unreadable body is not missing, so nothing stands in for it. On an error
/// `out` is as it was.
tl::expected<ValueType, SelectError> append_field(const Selector& selector, const Subject& subject,
                                                  std::string& out);

/// The fields of a list of selectors, in order; the first error ends it.
tl::expected<std::vector<Value>, SelectError> read_fields(std::span<const Selector> selectors,
                                                          const Subject& subject);

}  // namespace onceproxy::policies
