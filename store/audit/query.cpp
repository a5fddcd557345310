#include "store/audit/query.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "store/audit/search.hpp"

namespace onceproxy::store {
namespace {

constexpr std::array<std::string_view, 5> outcome_names{"pending", "completed", "released",
                                                        "failed", "unknown"};

/// Reads a number off the front of `text`, and `separator` behind it.
template <typename Number>
bool take_number(std::string_view& text, char separator, Number& number) {
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(rest - text.data()));
  if (separator == '\0') return text.empty();
  if (!text.starts_with(separator)) return false;
  text.remove_prefix(1);
  return true;
}

bool asks_for_forwards(const AuditQuery& query) {
  return query.decision.empty() || query.decision == audit_forwarded ||
         query.decision == audit_operator || query.decision == audit_started;
}

/// Duplicates that a policy only watched were forwarded too, and stand among the refusals.
bool asks_for_refusals(const AuditQuery& query) {
  return query.outcomes.empty() && query.decision != audit_operator &&
         query.decision != audit_started;
}

}  // namespace

std::string_view name(AuditOutcome outcome) {
  return outcome_names[static_cast<std::size_t>(outcome)];
}

std::optional<AuditOutcome> audit_outcome(std::string_view name) {
  const auto found = std::ranges::find(outcome_names, name);
  if (found == outcome_names.end()) return std::nullopt;
  return static_cast<AuditOutcome>(found - outcome_names.begin());
}

namespace {

std::string text_of(const AuditCursor::Place& place) {
  return std::to_string(place.file) + "." + std::to_string(place.before.time) + "." +
         std::to_string(place.before.file) + "." + std::to_string(place.before.offset);
}

bool take_place(std::string_view& text, char separator, AuditCursor::Place& place) {
  return take_number(text, '.', place.file) && take_number(text, '.', place.before.time) &&
         take_number(text, '.', place.before.file) &&
         take_number(text, separator, place.before.offset);
}

}  // namespace

std::string AuditCursor::text() const {
  return text_of(forwards) + "-" + text_of(refusals);
}

std::optional<AuditCursor> AuditCursor::parse(std::string_view text) {
  AuditCursor cursor;
  const bool read =
      take_place(text, '-', cursor.forwards) && take_place(text, '\0', cursor.refusals);
  if (!read) return std::nullopt;
  return cursor;
}

std::optional<AuditCursor> find(const AuditLog& log, const AuditQuery& query,
                                const std::function<void(const AuditItem&)>& show) {
  std::uint64_t bytes_left = query.bytes_max;
  const AuditCursor::Place none{0, {}};
  AuditSearch forwards(log.forwards(), query, log.oldest(),
                       asks_for_forwards(query) ? query.cursor.forwards : none, bytes_left);
  AuditSearch refusals(log.refusals(), query, log.oldest(),
                       asks_for_refusals(query) ? query.cursor.refusals : none, bytes_left);
  for (std::size_t shown = 0; shown < query.items_max; ++shown) {
    const bool forward = forwards.seek();
    const bool refusal = refusals.seek();
    if (forwards.exhausted() && refusals.exhausted()) return std::nullopt;
    // What was not looked for may be newer than what was found.
    if ((!forward && !forwards.exhausted()) || (!refusal && !refusals.exhausted())) break;
    AuditSearch& newest =
        forward && (!refusal || forwards.time() > refusals.time()) ? forwards : refusals;
    show(newest.item());
    newest.pop();
  }
  if (forwards.exhausted() && refusals.exhausted()) return std::nullopt;
  return AuditCursor{forwards.place(), refusals.place()};
}

}  // namespace onceproxy::store
