// Names and values of application/x-www-form-urlencoded: form bodies and query strings. Read as
// the WHATWG URL standard (section 5.1) reads them: '+' is a space, '%' without two hexadecimal
// digits stands for itself. Pure.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace onceproxy::policies {

/// Yields the pairs one after the other. A byte order mark at the front is skipped, and so is what
/// stands between two `&` that follow each other.
class FormReader {
 public:
  explicit FormReader(std::string_view text);

  /// False at the end. `name` and `value` are decoded; a pair without `=` has an empty value.
  bool next(std::string& name, std::string& value);

 private:
  std::string_view rest_;
};

/// Appends what a form is compared by: the array of its pairs in order, each the array of its name
/// and its value, as canonical JSON. Without those that `except` leaves out (except.hpp).
void append_form(std::string_view text, std::span<const std::vector<std::string>> except,
                 std::string& out);

/// The values of every pair of that name, decoded, in order. A byte order mark at the front is
/// skipped.
std::vector<std::string> form_values(std::string_view text, std::string_view name);

}  // namespace onceproxy::policies
