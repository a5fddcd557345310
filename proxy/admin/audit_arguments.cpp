#include "proxy/admin/audit_arguments.hpp"

#include <algorithm>
#include <charconv>
#include <cstdio>

#include "policies/entity.hpp"
#include "policies/timestamp.hpp"
#include "proxy/gate/decision.hpp"

namespace onceproxy::admin {
namespace {

using std::chrono::milliseconds;
using store::AuditQuery;
using store::WallTime;

constexpr std::size_t limit_max = 10'000;

template <typename Number>
std::optional<Number> whole(std::string_view text) {
  Number value{};
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || rest != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<milliseconds> age_of(std::string_view text) {
  static constexpr std::pair<std::string_view, milliseconds> units[] = {
      {"ms", milliseconds(1)},
      {"s", std::chrono::seconds(1)},
      {"m", std::chrono::minutes(1)},
      {"h", std::chrono::hours(1)},
      {"d", std::chrono::hours(24)}};
  for (const auto& [unit, size] : units) {
    if (!text.ends_with(unit)) continue;
    const auto count = whole<std::uint32_t>(text.substr(0, text.size() - unit.size()));
    if (count) return *count * size;
  }
  return std::nullopt;
}

/// RFC 3339, section 5.6, in UTC alone, not before 1970; rounded down to milliseconds.
std::optional<WallTime> date_time(std::string_view text) {
  const auto time = policies::parse_timestamp(text);
  if (!time || time->seconds < 0 || !text.ends_with('Z')) return std::nullopt;
  constexpr std::uint64_t attoseconds_in_millisecond = 1'000'000'000'000'000;
  return WallTime(std::chrono::seconds(time->seconds) +
                  milliseconds(time->attoseconds / attoseconds_in_millisecond));
}

bool is_decision(std::string_view word) {
  // What became of deliveries that were given up.
  if (word == "dead" || word == "removed") return true;
  for (std::size_t i = 0; i < gate::decision_count; ++i) {
    if (name(static_cast<gate::Decision>(i)) == word) return true;
  }
  return word == store::audit_operator || word == store::audit_started;
}

constexpr std::string_view no_moment =
    ": expected an age such as 5m or 1h, seconds since 1970, or a time such as "
    "2026-01-02T03:04:05Z";

std::optional<std::string> read_outcomes(std::string_view value, AuditQuery& query) {
  while (true) {
    const std::string_view word = value.substr(0, value.find(','));
    const auto outcome = store::audit_outcome(word);
    if (!outcome) {
      return "outcome: expected pending, completed, released, failed or unknown, or several with "
             "commas";
    }
    query.outcomes.push_back(*outcome);
    if (word.size() == value.size()) return std::nullopt;
    value.remove_prefix(word.size() + 1);
  }
}

/// Reads one argument into `query`. The error says what is wrong with it.
std::optional<std::string> read(const std::string& name, const std::string& value, WallTime now,
                                AuditQuery& query) {
  if (name == "since" || name == "until") {
    const auto moment = parse_moment(value, now);
    if (!moment) return name + std::string(no_moment);
    (name == "since" ? query.since : query.until) = moment;
  } else if (name == "policy") {
    query.policy = value;
  } else if (name == "decision") {
    if (!is_decision(value)) {
      return "decision: expected a decision such as forwarded or replayed, operator or started";
    }
    query.decision = value;
  } else if (name == "fingerprint") {
    query.fingerprint = store::Fingerprint::from_hex(value);
    if (!query.fingerprint) return "fingerprint: expected 64 hexadecimal digits";
  } else if (name == "entity" || name == "path") {
    return read_subject(name, value, query.subject);
  } else if (name == "outcome") {
    return read_outcomes(value, query);
  } else if (name == "limit") {
    const auto limit = whole<std::size_t>(value);
    if (!limit || *limit < 1 || *limit > limit_max) {
      return "limit: expected a whole number from 1 to " + std::to_string(limit_max);
    }
    query.items_max = *limit;
  } else if (name == "cursor") {
    const auto cursor = store::AuditCursor::parse(value);
    if (!cursor) return "cursor: expected the `next` of the page before";
    query.cursor = *cursor;
  } else {
    return name +
           ": unknown; since, until, policy, decision, outcome, fingerprint, entity, path, limit "
           "and "
           "cursor are known";
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string> read_subject(const std::string& name, const std::string& value,
                                        store::SubjectFilter& filter) {
  if (name == "path") {
    if (!value.starts_with('/'))
      return "path: expected a path, or how it begins, with * at the end";
    filter.path = value;
    return std::nullopt;
  }
  const std::size_t slash = value.find('/');
  if (slash == 0 || slash == std::string::npos || slash + 1 == value.size()) {
    return "entity: expected its type and its id: ride/42";
  }
  filter.entity_type = value.substr(0, slash);
  const std::string id[] = {value.substr(slash + 1)};
  filter.entity_id = policies::entity_id_text(id);
  return std::nullopt;
}

std::optional<milliseconds> parse_age(std::string_view text) {
  return age_of(text);
}

std::optional<WallTime> parse_moment(std::string_view text, WallTime now) {
  if (const auto before = age_of(text)) return now - *before;
  if (const auto seconds = whole<std::uint32_t>(text)) {
    return WallTime(std::chrono::seconds(*seconds));
  }
  return date_time(text);
}

tl::expected<AuditQuery, std::string> parse_audit_query(
    const std::multimap<std::string, std::string>& arguments, WallTime now) {
  AuditQuery query;
  for (const auto& [name, value] : arguments) {
    if (arguments.count(name) > 1) return tl::unexpected(name + ": given twice");
    if (auto error = read(name, value, now, query)) return tl::unexpected(*std::move(error));
  }
  return query;
}

}  // namespace onceproxy::admin
