// Grammar: how numbers, texts and values are written into the bytes that a digest is taken of, so
// that no two lists of them yield the same bytes. The whole of it stands in README.md.
// Pure; thread-safe as long as each thread has its own Document.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "policies/fields.hpp"
#include "policies/policy.hpp"

namespace onceproxy::policies {

/// number: 8 bytes, the highest first.
void append_number(std::uint64_t number, std::string& out);

/// text: its length, its bytes.
void append_counted(std::string_view text, std::string& out);

/// values: how many, then of each its type, its length, its text.
tl::expected<void, SelectError> append_values(const std::vector<Selector>& selectors,
                                              const Subject& subject, std::string& out);

}  // namespace onceproxy::policies
