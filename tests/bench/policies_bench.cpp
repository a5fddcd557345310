// What the policies cost a covered request, and one that no policy covers. Prints nanoseconds an
// operation: the best of several rounds, since other programs only ever add to it.
//   cmake --preset release -DONCEPROXY_BENCH=ON && build/release/tests/bench/policies_bench
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "policies/canonical.hpp"
#include "policies/digest.hpp"
#include "policies/json.hpp"
#include "policies/path.hpp"
#include "policies/path_template.hpp"
#include "policies/policy_set.hpp"
#include "policies/select.hpp"

using namespace onceproxy::policies;

namespace {

template <typename Operation>
void measure(const char* what, Operation operation) {
  constexpr int rounds = 15;
  constexpr int repeats = 20'000;
  double best = 1e18;
  for (int round = 0; round < rounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < repeats; ++i) operation();
    const std::chrono::duration<double, std::nano> spent = std::chrono::steady_clock::now() - start;
    best = std::min(best, spent.count() / repeats);
  }
  std::printf("%-58s %8.0f ns\n", what, best);
}

template <typename T>
void keep(const T& value) {
  asm volatile("" : : "r"(&value) : "memory");
}

Selector selector(Source source, std::string name = "") {
  Selector out;
  out.source = source;
  out.name = std::move(name);
  return out;
}

Policy policy(const std::string& path) {
  Policy out;
  out.name = out.name_space = "orders";
  out.match.methods = {"POST", "PUT", "PATCH", "DELETE"};
  out.match.has_path = true;
  out.match.path = parse_path_template(path).value();
  out.fingerprint = {selector(Source::client_key, "Idempotency-Key")};
  out.payload = {selector(Source::method), selector(Source::target), selector(Source::content)};
  return out;
}

/// An order of 512 bytes: 20 members, one nested object, one array of objects.
std::string order() {
  std::string body =
      R"({"order_id":"8e03978e-40d5-43dd-bc93-6894a57f9324","customer":{"id":48213,"name":"Ada Lovelace",)"
      R"("email":"ada@example.org","verified":true},"currency":"EUR","total":129.95,"tax":20.75,)"
      R"("items":[{"sku":"A-1001","quantity":2,"price":39.9},{"sku":"B-2002","quantity":1,"price":50.15}],)"
      R"("notes":null,"created_at":"2026-11-23T05:30:00Z","channel":"web","comment":")";
  body += std::string(512 - body.size() - 2, 'x') + "\"}";
  return body;
}

std::vector<Field> headers() {
  return {{"Host", "shop.example.org"},
          {"User-Agent", "Mozilla/5.0 (X11; Linux x86_64)"},
          {"Accept", "application/json"},
          {"Content-Type", "application/json"},
          {"Content-Length", "512"},
          {"Authorization", "Bearer 0123456789abcdef"},
          {"Idempotency-Key", "\"8e03978e-40d5-43dd-bc93-6894a57f9324\""},
          {"X-Request-Id", "5f0c7e0e-6d42-4d52-8f6e-0b7f9c4f1f5b"}};
}

std::vector<Policy> many(bool expressions) {
  std::vector<Policy> policies;
  for (int i = 0; i < 200; ++i) {
    policies.push_back(policy("/service-" + std::to_string(i % 50) + "/v" + std::to_string(i / 50) +
                              "/orders/{order_id}/confirm"));
    if (expressions && i % 4 == 0) {
      policies.back().match.has_path = false;
      policies.back().match.path_regex =
          std::make_shared<re2::RE2>("/legacy-" + std::to_string(i) + "/(?P<id>[0-9]+)/confirm");
    }
  }
  return policies;
}

}  // namespace

int main() {
  const std::string body = order();
  const std::vector<Field> fields = headers();
  const RequestView covered{"POST", "/service-7/v1/orders/4711/confirm?a=1",
                            "/service-7/v1/orders/4711/confirm", "a=1", fields};
  RequestView uncovered = covered;
  uncovered.path = uncovered.target = "/service-7/v1/orders/4711/status";
  RequestView read = covered;
  read.method = "GET";

  const PolicySet templates(many(false));
  const PolicySet mixed(many(true));
  const Policy& chosen = *templates.candidates(covered).front();

  std::printf("body of %zu bytes, 200 policies\n", body.size());
  measure("whole: candidates, choose, client_key, default payload", [&] {
    Document document(covered, body, 1 << 20);
    const auto* policy =
        templates.choose(templates.candidates(covered), covered, document).covering;
    keep(select_operation(*policy, covered, document));
  });
  measure("select_operation", [&] {
    Document document(covered, body, 1 << 20);
    keep(select_operation(chosen, covered, document));
  });
  Policy dispatch = chosen;
  dispatch.entity.emplace();
  dispatch.entity->type = "order";
  dispatch.entity->id = {selector(Source::path, "order_id")};
  dispatch.rate_limit = RateLimit{};
  dispatch.overrides = {{{{selector(Source::path, "order_id"), {"none"}, nullptr}},
                         std::make_shared<const Policy>(chosen)}};
  measure("  with an entity, a rate limit and an override that fails", [&] {
    Document document(covered, body, 1 << 20);
    keep(select_operation(dispatch, covered, document));
  });
  measure("  of which reading the JSON", [&] { keep(JsonTree::parse(body)); });
  const auto tree = JsonTree::parse(body);
  std::string out;
  measure("  of which its canonical form", [&] {
    out.clear();
    append_canonical(*tree, 0, Selector{}, out);
    keep(out);
  });
  measure("  of which SHA-256 of so much", [&] { keep(sha256(body)); });
  measure("candidates: covered", [&] { keep(templates.candidates(covered)); });
  measure("candidates: uncovered path", [&] { keep(templates.candidates(uncovered)); });
  measure("candidates: method no policy names", [&] { keep(templates.candidates(read)); });
  measure("candidates: uncovered path, 50 expressions", [&] { keep(mixed.candidates(uncovered)); });
  std::string scratch;
  measure("normalize_path: normal already", [&] { keep(normalize_path(covered.path, scratch)); });
  measure("normalize_path: not", [&] { keep(normalize_path("/a/../service%2D7//v1/x", scratch)); });
}
