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
  /// missing: the selector as written, and in parentheses what is known of the reason.
  /// bad_key: what is wrong with the key, without the key.
  /// unreadable: Document::unreadable_json() or unreadable_form().
  std::string detail;
  /// missing: where the field is there and cannot be used, what it must be ("an integer"); a
  /// literal.
  std::string_view expected = {};
  /// missing, bad_key: the header of the client's key that it is about; empty for other fields.
  std::string key_header = {};
};

/// "body: /id is missing", "Idempotency-Key: the key is empty": the field or the fault, for logs.
std::string told(const SelectError& error);

/// What kind of thing a value is. Part of what is digested, so that the text 1 and the number 1
/// stay two.
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

/// By which rules a body is read: this version's digests', those of the version before
/// (earlier.hpp), or a condition's: it compares text, so `content` is then the bytes of a form.
enum class Reading { digest, earlier_digest, condition };

/// Where fields are read: the request, and the match whose captures `path` selectors name. Or an
/// answer, of which `request` then holds the headers.
struct Subject {
  const Match& match;
  const RequestView& request;
  Document& body;
  /// Of an answer.
  int status = 0;
  Reading reading = Reading::digest;
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
