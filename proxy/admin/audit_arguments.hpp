// The arguments of GET /audit. Private to this folder. Pure.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "store/audit/query.hpp"

namespace onceproxy::admin {

/// A moment: an age ("90s", "5m", "1h", "7d") before `now`, seconds since 1970, or RFC 3339 in UTC
/// ("2026-01-02T03:04:05Z", with up to three decimals).
std::optional<store::WallTime> parse_moment(std::string_view text, store::WallTime now);

/// What is asked for, or what is wrong with it.
tl::expected<store::AuditQuery, std::string> parse_audit_query(
    const std::multimap<std::string, std::string>& arguments, store::WallTime now);

}  // namespace onceproxy::admin
