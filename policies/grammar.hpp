// Grammar: writes numbers, texts and values into the bytes of a digest, so that no two lists of
// values yield the same bytes. README.md describes the whole format. Pure; thread-safe as long as
// each thread has its own Document.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "policies/fields.hpp"
#include "policies/policy.hpp"

namespace onceproxy::policies {

/// number: 8 bytes, most significant first.
void append_number(std::uint64_t number, std::string& out);

/// text: its length, then its bytes.
void append_counted(std::string_view text, std::string& out);

/// values: their number, then for each its type, its length and its text.
tl::expected<void, SelectError> append_values(const std::vector<Selector>& selectors,
                                              const Subject& subject, std::string& out);

}  // namespace onceproxy::policies
