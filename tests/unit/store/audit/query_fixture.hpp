// An audit log to ask, and what it answers in words.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <catch2/catch.hpp>

#include "audit_fixture.hpp"
#include "store/audit/query.hpp"

namespace onceproxy::store::testing {

/// What find() shows, in words: "f7 completed 200", "r7 replayed", "operator reload", "started".
inline std::string words(const AuditItem& item) {
  if (const auto* const sent = std::get_if<AuditForward>(&item.entry)) {
    std::string out = "f" + std::to_string(sent->fence) + " " + std::string(name(item.end.outcome));
    if (item.end.status != 0) out += " " + std::to_string(item.end.status);
    if (!item.end.error.empty()) out += " " + item.end.error;
    return out;
  }
  if (const auto* const refused = std::get_if<AuditRefusal>(&item.entry)) {
    return "r " + std::string(refused->decision);
  }
  if (const auto* const done = std::get_if<AuditAction>(&item.entry)) {
    return "operator " + std::string(done->action);
  }
  return "started";
}

using Texts = std::vector<std::string>;

struct Logs {
  TemporaryDirectory directory;
  ManualClock clock;
  AuditOptions options;
  std::unique_ptr<AuditLog> log = open();

  std::unique_ptr<AuditLog> open() {
    return std::make_unique<AuditLog>(directory.path() / "audit", options, clock,
                                      AuditLog::Failed());
  }
  void reopen() {
    log.reset();
    log = open();
  }
  WallTime now() {
    clock.advance(1ms);
    return clock.now();
  }
  void sent(std::uint64_t fence) { log->write(bytes_of(forward(fence, now())), 1); }
  void ended(std::uint64_t fence, AuditEnding::How how = AuditEnding::How::completed,
             int status = 200, std::string_view error = {}) {
    log->write(bytes_of(ending(fence, now(), how, status, error)), 1);
  }
  /// Into a file of its own: another hour.
  void next_file() { clock.advance(options.retention / 8); }

  Texts page(AuditQuery query, std::optional<AuditCursor>* next = nullptr) const {
    Texts out;
    const auto more = find(*log, query, [&](const AuditItem& item) { out.push_back(words(item)); });
    if (next != nullptr) *next = more;
    return out;
  }
  /// Page after page.
  Texts all(AuditQuery query) const {
    Texts out;
    for (int pages = 0; pages < 10'000; ++pages) {
      std::optional<AuditCursor> next;
      const Texts page = this->page(query, &next);
      CHECK(page.size() <= query.items_max);
      out.insert(out.end(), page.begin(), page.end());
      if (!next) return out;
      query.cursor = AuditCursor::parse(next->text()).value();
    }
    FAIL("no end");
    return out;
  }
  Texts forwards(AuditQuery query = {}) const {
    query.decision = audit_forwarded;
    return all(query);
  }
};

using How = AuditEnding::How;

}  // namespace onceproxy::store::testing
