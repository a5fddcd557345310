#include "proxy/cli/backtest/report.hpp"

#include <catch2/catch.hpp>
#include <sstream>

namespace onceproxy::backtest {
namespace {

using gate::Decision;

Report report() {
  Report out;
  out.log = "past.jsonl";
  out.from = parse_moment("2026-01-02T03:04:05Z");
  out.to = parse_moment("2026-01-02T05:00:00Z");
  out.requests = 1115;
  out.policies = {{.name = "orders"}, {.name = "never"}};
  out.policies[0].decisions[static_cast<std::size_t>(Decision::forwarded)] = 1000;
  out.policies[0].decisions[static_cast<std::size_t>(Decision::replayed)] = 90;
  out.policies[0].decisions[static_cast<std::size_t>(Decision::mismatch)] = 10;
  out.uncovered = 15;
  return out;
}

std::string table(const Report& report) {
  std::ostringstream out;
  print_table(report, out);
  return out.str();
}

std::string json(const Report& report) {
  std::ostringstream out;
  print_json(report, out);
  return out.str();
}

TEST_CASE("the table has a row for each policy and a column for each decision there was") {
  CHECK(table(report()) ==
        "past.jsonl: 1115 requests, 2026-01-02T03:04:05.000Z to 2026-01-02T05:00:00.000Z\n"
        "\n"
        "policy       requests  forwarded  replayed  mismatch\n"
        "orders           1100       1000        90        10\n"
        "never               0          -         -         -\n"
        "(no policy)        15\n");
}

TEST_CASE("fields that policies need and the log lacks are listed below the table") {
  Report lacking = report();
  lacking.policies[0].missing = {{"header: x-id", 90}};
  lacking.policies[1].asks_for_headers = true;
  lacking.bodies_left_out = 4;
  const std::string text = table(lacking);
  INFO(text);
  CHECK(text.find("\norders: header: x-id is missing in 90 of 1100 requests\n") !=
        std::string::npos);
  CHECK(text.find("\nnever: match.headers holds for none, since the log has no header fields\n") !=
        std::string::npos);
  CHECK(text.find("\n4 have a body that the log left out; ") != std::string::npos);
  CHECK(json(lacking).find(R"("missing":[{"selector":"header: x-id","requests":90}])") !=
        std::string::npos);
  lacking.with_headers = 1;
  CHECK(table(lacking).find("match.headers") == std::string::npos);
}

TEST_CASE("notes for the reader are below the table") {
  Report doubtful = report();
  doubtful.without_status = 3;
  doubtful.out_of_order = 2;
  doubtful.out_of_order_max = std::chrono::microseconds{1500};
  doubtful.bad_requests = 1;
  const std::string text = table(doubtful);
  INFO(text);
  CHECK(text.find("(bad request)         1\n") != std::string::npos);
  CHECK(text.find("\n3 of those covered have no status in the log and count as completed\n") !=
        std::string::npos);
  CHECK(
      text.find("\n2 are older than one before them, by up to 2 ms, and count as being as late as "
                "that one\n") != std::string::npos);
}

TEST_CASE("JSON is one object on one line") {
  CHECK(
      json(report()) ==
      R"({"log":"past.jsonl","complete":true,"error":null,"requests":1115,)"
      R"("from":"2026-01-02T03:04:05.000Z","to":"2026-01-02T05:00:00.000Z",)"
      R"("policies":[{"name":"orders","requests":1100,"decisions":{"forwarded":1000,)"
      R"("replayed":90,"mismatch":10},"missing":[]},)"
      R"({"name":"never","requests":0,"decisions":{},"missing":[]}],)"
      R"("uncovered":15,"bad_requests":0,"without_status":0,"with_headers":0,"bodies_left_out":0,)"
      R"("out_of_order":{"count":0,"max_ms":0},"no_requests":{"count":0,"first":[]}})"
      "\n");
}

TEST_CASE("JSON tells the lines that are no requests, and why it broke off") {
  Report broken;
  broken.log = "-";
  broken.bad_lines = 7;
  broken.first_bad_lines = {{3, "it has no \"time\""}};
  broken.broke_off = "it contains no request";
  const std::string text = json(broken);
  INFO(text);
  CHECK(text.find(R"("complete":false,"error":"it contains no request")") != std::string::npos);
  CHECK(text.find(R"("from":null,"to":null)") != std::string::npos);
  CHECK(text.find(
            R"("no_requests":{"count":7,"first":[{"line":3,"message":"it has no \"time\""}]})") !=
        std::string::npos);
}

}  // namespace
}  // namespace onceproxy::backtest
