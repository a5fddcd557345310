#include "policies/request_view.hpp"

#include "policies/ascii.hpp"

namespace onceproxy::policies {

bool equals_ignoring_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (ascii_lower(a[i]) != ascii_lower(b[i])) return false;
  }
  return true;
}

const Field* RequestView::header(std::string_view name) const {
  for (const Field& field : headers) {
    if (equals_ignoring_case(field.name, name)) return &field;
  }
  return nullptr;
}

}  // namespace onceproxy::policies
