// Fields: the values that selectors find in a request, as typed canonical text. All features that
// use selected fields (fingerprints, payload digests, conditions, explanations) are based on this.
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

/// The reason why a field has no value.
struct SelectError {
  enum class Kind { missing, bad_key, unreadable } kind = Kind::missing;
  /// missing: the selector as written, and the known reason in parentheses. bad_key: the error in
  /// the key, without the key. unreadable: Document::unreadable_json() or unreadable_form().
  std::string detail;
  /// missing: if the field exists and cannot be used, what it must be ("an integer"); a literal.
  std::string_view expected = {};
  /// missing, bad_key: the header of the client's key; empty for other fields.
  std::string key_header = {};
};

/// "body: /id is missing", "Idempotency-Key: the key is empty": the field or the error, for logs.
std::string told(const SelectError& error);

/// The type of a value. It is part of the digest, so that the text 1 and the number 1 differ.
enum class ValueType : char {
  text = 't',   ///< header, query, … and JSON strings: the text itself
  json = 'j',   ///< any other JSON value, in canonical form; several values of one name: an array
  bytes = 'b',  ///< a body that is neither JSON nor a form
  form = 'f',   ///< application/x-www-form-urlencoded: the array of its pairs (form.hpp)
  parts = 'm',  ///< multipart/form-data: its parts (multipart.hpp)
};

struct Value {
  ValueType type = ValueType::text;
  std::string text;

  friend bool operator==(const Value&, const Value&) = default;
};

/// The rules by which a body is read: those of this version's digests, those of the previous
/// version (earlier.hpp), or those of a condition, which compares text, so that `content` is the
/// bytes of a form.
enum class Reading { digest, earlier_digest, condition };

/// The source of fields: the request, and the match with the captures for `path` selectors. Or an
/// answer, whose headers are then in `request`.
struct Subject {
  const Match& match;
  const RequestView& request;
  Document& body;
  /// The status of an answer.
  int status = 0;
  Reading reading = Reading::digest;
};

/// Appends the field's text to `out` and returns its type. If a field is missing, the next one in
/// the chain of `otherwise` is read, and at the end the last one's default is used; the error
/// contains the first one. A field of an unreadable body is not missing, so nothing replaces it.
/// After an error `out` is unchanged.
tl::expected<ValueType, SelectError> append_field(const Selector& selector, const Subject& subject,
                                                  std::string& out);

/// The fields of a list of selectors, in order; it stops at the first error.
tl::expected<std::vector<Value>, SelectError> read_fields(std::span<const Selector> selectors,
                                                          const Subject& subject);

}  // namespace onceproxy::policies
