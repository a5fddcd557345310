// Reads names and values of application/x-www-form-urlencoded (form bodies and query strings) as in
// the WHATWG URL standard (section 5.1): '+' is a space, and '%' without two hexadecimal digits is
// a literal '%'. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace onceproxy::policies {

/// Returns the pairs one after the other. A byte order mark at the front is skipped, and so is an
/// empty part between two `&`.
class FormReader {
 public:
  explicit FormReader(std::string_view text);

  /// Returns false at the end. `name` and `value` are decoded; a pair without `=` has an empty
  /// value.
  bool next(std::string& name, std::string& value);

 private:
  std::string_view rest_;
};

/// Appends the canonical form of a form: the array of its pairs in order, each an array of name and
/// value, as canonical JSON. Without the fields that `except` removes (except.hpp).
void append_form(std::string_view text, std::span<const std::vector<std::string>> except,
                 std::string& out);

/// The decoded values of every pair with that name, in order. A byte order mark at the front is
/// skipped.
std::vector<std::string> form_values(std::string_view text, std::string_view name);

}  // namespace onceproxy::policies
