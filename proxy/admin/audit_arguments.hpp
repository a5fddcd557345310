// The arguments of GET /audit, and those that lists of records share with it. Private to this
// folder. Pure.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "store/audit/query.hpp"

namespace onceproxy::admin {

/// An age: "500ms", "90s", "5m", "1h", "7d".
std::optional<std::chrono::milliseconds> parse_age(std::string_view text);

/// Reads `entity` ("ride/42") or `path` ("/v1/rides/42", or "/v1/rides/*" for all paths that begin
/// like it). The error describes what is wrong with it.
std::optional<std::string> read_subject(const std::string& name, const std::string& value,
                                        store::SubjectFilter& filter);

/// A time: an age ("90s", "5m", "1h", "7d") before `now`, seconds since 1970, or RFC 3339 in UTC
/// ("2026-01-02T03:04:05Z", with up to three decimals).
std::optional<store::WallTime> parse_moment(std::string_view text, store::WallTime now);

/// The query, or what is wrong with it.
tl::expected<store::AuditQuery, std::string> parse_audit_query(
    const std::multimap<std::string, std::string>& arguments, store::WallTime now);

}  // namespace onceproxy::admin
