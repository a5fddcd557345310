#include "proxy/admin/audit_arguments.hpp"

#include <catch2/catch.hpp>

using namespace onceproxy;
using namespace onceproxy::admin;

namespace {

store::WallTime at(std::int64_t milliseconds) {
  return store::WallTime(std::chrono::milliseconds(milliseconds));
}

const store::WallTime now = at(1'767'323'045'678);  // 2026-01-02T03:04:05.678Z

using Arguments = std::multimap<std::string, std::string>;

std::string problem(const Arguments& arguments) {
  const auto query = parse_audit_query(arguments, now);
  return query ? "" : query.error();
}

}  // namespace

TEST_CASE("A moment is an age, seconds since 1970, or a time") {
  using std::chrono::milliseconds;
  CHECK(parse_moment("5m", now) == now - milliseconds(300'000));
  CHECK(parse_moment("1h", now) == now - milliseconds(3'600'000));
  CHECK(parse_moment("7d", now) == now - milliseconds(604'800'000));
  CHECK(parse_moment("90s", now) == now - milliseconds(90'000));
  CHECK(parse_moment("250ms", now) == now - milliseconds(250));
  CHECK(parse_moment("1767323045", now) == at(1'767'323'045'000));
  CHECK(parse_moment("2026-01-02T03:04:05Z", now) == at(1'767'323'045'000));
  CHECK(parse_moment("2026-01-02T03:04:05.6Z", now) == at(1'767'323'045'600));
  CHECK(parse_moment("2026-01-02T03:04:05.678Z", now) == now);
  CHECK(parse_moment("2026-01-02T03:04:05.6789Z", now) == now);
}

TEST_CASE("Text that is not a time is refused") {
  for (const char* bad :
       {"", "h", "-1h", "1 h", "1w", "yesterday", "2026-01-02", "2026-01-02T03:04:05",
        "2026-01-02T03:04:05+01:00", "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z",
        "2026-01-02T24:00:00Z", "2026-01-02T03:60:00Z", "2026-01-02T03:04:05.Z",
        "2026-01-02T03:04:05x6Z", "1969-12-31T23:59:59Z", "99999999999", "2026-0a-02T03:04:05Z"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_moment(bad, now));
  }
}

TEST_CASE("Every argument is read") {
  const auto query = parse_audit_query({{"since", "1h"},
                                        {"until", "5m"},
                                        {"policy", "orders"},
                                        {"decision", "in-flight"},
                                        {"outcome", "failed,unknown"},
                                        {"fingerprint", std::string(64, 'a')},
                                        {"limit", "10000"},
                                        {"entity", "ride/a/b"},
                                        {"path", "/v1/*"},
                                        {"cursor", "3.1000.2.17-0.0.0.0"}},
                                       now);
  REQUIRE(query);
  CHECK(query->since < query->until);
  CHECK(query->policy == "orders");
  CHECK(query->decision == "in-flight");
  CHECK(query->outcomes == std::vector{store::AuditOutcome::failed, store::AuditOutcome::unknown});
  CHECK(query->fingerprint->hex() == std::string(64, 'a'));
  CHECK(query->items_max == 10'000);
  CHECK(query->cursor.forwards.file == 3);
  CHECK(query->cursor.forwards.before.offset == 17);
  CHECK(query->subject.entity_type == "ride");
  CHECK(query->subject.entity_id == "a/b");
  CHECK(query->subject.path == "/v1/*");
}

TEST_CASE("An argument that is not valid is reported with its name") {
  for (const auto& [name, value] : Arguments{{"since", "x"},
                                             {"until", ""},
                                             {"decision", "failed"},
                                             {"outcome", ""},
                                             {"outcome", "failed,"},
                                             {"outcome", "forwarded"},
                                             {"fingerprint", "ab"},
                                             {"limit", "0"},
                                             {"limit", "10001"},
                                             {"limit", "1x"},
                                             {"cursor", "3.17"},
                                             {"entity", "ride"},
                                             {"entity", "/42"},
                                             {"path", "v1"},
                                             {"page", "1"}}) {
    CAPTURE(name, value);
    CHECK(problem({{name, value}}).starts_with(name + ": "));
  }
  CHECK(problem({{"limit", "1"}, {"limit", "2"}}) == "limit: given twice");
  CHECK(problem({}).empty());
}
