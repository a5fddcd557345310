#include "policies/policy_set.hpp"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <new>

#include "request.hpp"

using namespace onceproxy::policies;
using test::path_match;
using test::Request;

namespace {

thread_local std::size_t allocations = 0;

Policy policy(std::string name, Match match) {
  Policy out;
  out.name = out.name_space = std::move(name);
  out.match = std::move(match);
  return out;
}

Policy at(std::string path) {
  return policy(path, path_match(path));
}

Policy at_regex(const std::string& pattern) {
  Match match;
  match.path_regex = test::regex(pattern);
  return policy(pattern, match);
}

Policy when(Policy base, Condition condition) {
  base.name += " when";
  base.match.where.push_back(std::move(condition));
  return base;
}

Condition equals(Selector selector, std::vector<std::string> any_of) {
  return {std::move(selector), std::move(any_of), nullptr};
}

std::vector<std::string> names(const PolicySet& set, Request request) {
  std::vector<std::string> out;
  for (const Policy* candidate : set.candidates(request.view())) out.push_back(candidate->name);
  return out;
}

std::string chosen(const PolicySet& set, Request request) {
  const RequestView view = request.view();
  Document body(view, request.body, 1 << 20);
  const Policy* policy =
      set.choose(set.candidates(view), view, body).deciding([](const Policy& one) {
        return one.enforcement;
      });
  return policy == nullptr ? "none" : policy->name;
}

TEST_CASE("the policies that may cover a path and a method are found without fields and body") {
  Policy gold = when(at("/a/{id}"), equals(test::selector(Source::body, "/x"), {"y"}));
  gold.match.headers.push_back({"x-tier", std::string("gold")});
  gold.match.methods = {"POST"};
  Policy overriding = at("/a/**");
  overriding.match.methods = {"DELETE"};
  overriding.match.method_override = true;
  Policy other = at("/b");
  other.match.methods = {"PUT"};
  const PolicySet set({gold, overriding, other, at("/{any}")});
  const auto found = [&](std::string_view method, std::string_view path) {
    std::vector<std::string> out;
    for (const Policy* policy : set.on_path(method, path)) out.push_back(policy->name);
    return out;
  };
  CHECK(found("POST", "/a/1") == std::vector<std::string>{"/a/{id} when", "/a/**"});
  CHECK(found("PATCH", "/a/1") == std::vector<std::string>{"/a/**"});
  CHECK(found("PUT", "/b") == std::vector<std::string>{"/b", "/{any}"});
  CHECK(found("POST", "/b") == std::vector<std::string>{"/{any}"});
  CHECK(found("POST", "/c/d").empty());
}

Request get(std::string target) {
  Request request;
  request.target = std::move(target);
  return request;
}

using Names = std::vector<std::string>;

}  // namespace

// Counts, so that a test can claim that a look-up does not allocate. Sanitizers bring allocators of
// their own, which must not be mixed with another.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ONCEPROXY_OWN_ALLOCATOR 0
#elif defined(__has_feature)
#define ONCEPROXY_OWN_ALLOCATOR \
  (!__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer))
#else
#define ONCEPROXY_OWN_ALLOCATOR 1
#endif

#if ONCEPROXY_OWN_ALLOCATOR
void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
#endif

TEST_CASE("a template covers the paths of its segments and no others") {
  struct Case {
    std::string path;
    std::vector<std::string> covered;
    std::vector<std::string> uncovered;
  };
  const Case cases[] = {
      {"/", {"/", "//", "/.", "/a/..", "/?x=1"}, {"/a", "/a/"}},
      {"/a",
       {"/a", "//a", "/%61", "/b/../a", "/./a", "/a?x"},
       {"/", "/a/", "/A", "/ab", "/a/b", "/b"}},
      {"/a/", {"/a/", "/a//", "/a/.", "/a/b/.."}, {"/a", "/a/b"}},
      {"/a/{x}/b",
       {"/a/1/b", "/a/b/b", "/a/%20/b", "/a//1//b"},
       {"/a//b", "/a/1", "/a/1/b/", "/a/1/2/b"}},
      {"/a/{x}", {"/a/1", "/a/{x}"}, {"/a/", "/a", "/a/1/"}},
      {"/{x}", {"/a"}, {"/", "/a/"}},
      {"/a/**", {"/a", "/a/", "/a/b", "/a/b/c/", "/a/x/../y"}, {"/", "/ab", "/b/a", "/a/../b"}},
      {"/**", {"/", "/a", "/a/b/c"}, {}},
      {"/a/{x}/**", {"/a/1", "/a/1/", "/a/1/2/3"}, {"/a", "/a/"}},
  };
  for (const Case& c : cases) {
    std::vector<Policy> policies;
    policies.push_back(at(c.path));
    const PolicySet set(std::move(policies));
    for (const std::string& target : c.covered) {
      INFO(c.path << " covers " << target);
      CHECK(names(set, get(target)) == Names{c.path});
    }
    for (const std::string& target : c.uncovered) {
      INFO(c.path << " does not cover " << target);
      CHECK(names(set, get(target)).empty());
    }
  }
}

TEST_CASE("a target without a path falls under policies that ask for none") {
  std::vector<Policy> policies;
  policies.push_back(at("/**"));
  policies.push_back(policy("any", {}));
  const PolicySet set(std::move(policies));
  CHECK(names(set, get("*")) == Names{"any"});
}

TEST_CASE("the first policy in the file wins, whatever kind of path it has") {
  std::vector<Policy> policies;
  policies.push_back(at("/a/{x}/c"));
  policies.push_back(at_regex("/a/.*"));
  policies.push_back(at("/a/b/c"));
  policies.push_back(at_regex("/z(/.*)?"));
  policies.push_back(at("/z/**"));
  policies.push_back(policy("any", {}));
  const PolicySet set(std::move(policies));
  CHECK(chosen(set, get("/a/b/c")) == "/a/{x}/c");
  CHECK(chosen(set, get("/a/b/d")) == "/a/.*");
  CHECK(chosen(set, get("/z/1")) == "/z(/.*)?");
  CHECK(chosen(set, get("/q")) == "any");
  CHECK(set.policies()[3].index == 3);
}

TEST_CASE("expressions match the whole path") {
  for (const bool several : {false, true}) {
    std::vector<Policy> policies;
    policies.push_back(at_regex("/a|/b"));
    if (several) policies.push_back(at_regex("/unrelated"));
    const PolicySet set(std::move(policies));
    CHECK(names(set, get("/a")) == Names{"/a|/b"});
    CHECK(names(set, get("/b")) == Names{"/a|/b"});
    for (const char* target : {"/ab", "/a/b", "/x/b", "/b/", "/"}) {
      INFO(target);
      CHECK(names(set, get(target)).empty());
    }
  }
}

TEST_CASE("expressions compiled with unlike options keep their own") {
  re2::RE2::Options any_case;
  any_case.set_case_sensitive(false);
  std::vector<Policy> policies;
  policies.push_back(at_regex("/a"));
  policies.push_back(policy("any case", {}));
  policies.back().match.path_regex = std::make_shared<re2::RE2>("/b", any_case);
  const PolicySet set(std::move(policies));
  CHECK(names(set, get("/B")) == Names{"any case"});
  CHECK(names(set, get("/A")).empty());
}

TEST_CASE("methods are compared with their case, and none named is all") {
  std::vector<Policy> policies;
  policies.push_back(at("/a"));
  policies.back().match.methods = {"POST", "PUT"};
  policies.push_back(at("/b"));
  for (const auto& [method, covered] :
       {std::pair("POST", true), {"PUT", true}, {"GET", false}, {"post", false}, {"", false}}) {
    Request request = get("/a");
    request.method = method;
    INFO(method);
    CHECK(names(PolicySet(policies), request).empty() != covered);
    request.target = "/b";
    CHECK_FALSE(names(PolicySet(policies), request).empty());
  }
}

TEST_CASE("header conditions want an exact value, a matching one, or any") {
  std::vector<Policy> policies;
  policies.push_back(at("/a"));
  policies.back().match.headers = {
      {"Content-Type", std::string("application/json")},
      {"x-kind", test::regex("[ab]+")},
      {"x-there", HeaderCondition::Present{}},
  };
  const PolicySet set(std::move(policies));
  using Headers = decltype(Request::headers);
  const auto covered = [&](Headers headers) {
    Request request = get("/a");
    request.headers = std::move(headers);
    return !names(set, request).empty();
  };
  CHECK(covered({{"content-type", "application/json"}, {"X-Kind", "ab"}, {"X-THERE", ""}}));
  CHECK_FALSE(covered({{"content-type", "application/json"}, {"X-Kind", "ab"}}));
  CHECK_FALSE(covered({{"content-type", "application/json"}, {"X-Kind", "abc"}, {"x-there", ""}}));
  CHECK_FALSE(covered(
      {{"content-type", "application/json; charset=utf-8"}, {"x-kind", "a"}, {"x-there", ""}}));
  CHECK_FALSE(covered({{"content-type", "APPLICATION/JSON"}, {"x-kind", "a"}, {"x-there", ""}}));
  CHECK_FALSE(covered({}));
}

TEST_CASE("candidates end with the first policy that asks nothing of the body") {
  std::vector<Policy> policies;
  policies.push_back(when(at("/a"), equals(test::selector(Source::body, "/type"), {"x"})));
  policies.push_back(when(at("/{any}"), equals(test::selector(Source::body, "/type"), {"y", "z"})));
  policies.push_back(at("/**"));
  policies.push_back(at("/a"));
  const PolicySet set(std::move(policies));
  CHECK(names(set, get("/a")) == Names{"/a when", "/{any} when", "/**"});
  CHECK(names(set, get("/b")) == Names{"/{any} when", "/**"});

  Request request = get("/a");
  request.body = R"({"type":"x"})";
  CHECK(chosen(set, request) == "/a when");
  request.body = R"({"type":"z"})";
  CHECK(chosen(set, request) == "/{any} when");
  for (const char* body : {R"({"type":"q"})", R"({"type":null})", "{}", "", "no json"}) {
    INFO(body);
    request.body = body;
    CHECK(chosen(set, request) == "/**");
  }
}

TEST_CASE("no condition that holds is no policy") {
  std::vector<Policy> policies;
  policies.push_back(when(at("/a"), equals(test::selector(Source::query, "q"), {"1"})));
  const PolicySet set(std::move(policies));
  CHECK(chosen(set, get("/a?q=1")) == "/a when");
  CHECK(chosen(set, get("/a?q=2")) == "none");
  CHECK(chosen(set, get("/a")) == "none");
}

TEST_CASE("a policy that is off still shadows the ones after it") {
  std::vector<Policy> policies;
  policies.push_back(at("/a/{x}"));
  policies.back().enforcement.mode = Enforcement::Mode::off;
  policies.push_back(at("/a/b"));
  CHECK(chosen(PolicySet(std::move(policies)), get("/a/b")) == "/a/{x}");
}

TEST_CASE("an empty set covers nothing") {
  CHECK(names(PolicySet({}), get("/")).empty());
}

TEST_CASE("a request that no policy covers is passed by without an allocation") {
  std::vector<Policy> policies;
  for (int i = 0; i < 100; ++i) {
    policies.push_back(at("/service" + std::to_string(i) + "/v1/{id}/act"));
    policies.push_back(at_regex("/expr" + std::to_string(i) + "/[0-9]+/act"));
    for (std::size_t last : {policies.size() - 1, policies.size() - 2})
      policies[last].match.methods = {"POST"};
  }
  const PolicySet set(std::move(policies));
  for (const char* target : {"/service7/v1/42/other", "/expr7/x/act", "/", "/assets/app.js"}) {
    Request request = get(target);
    const RequestView view = request.view();
    CHECK(set.candidates(view).empty());
    const std::size_t before = allocations;
    const bool none = set.candidates(view).empty();
    const std::size_t after = allocations;
    INFO(target);
    CHECK(none);
    CHECK(after == before);
  }
  CHECK(names(set, get("/expr99/1/act")) == Names{"/expr99/[0-9]+/act"});
  CHECK(names(set, get("/service99/v1/1/act")) == Names{"/service99/v1/{id}/act"});
}

TEST_CASE("overrides have their policy's place, and the ones they came from are left alone") {
  auto with = std::make_shared<const Policy>(at("/b"));
  Policy second = at("/b");
  second.overrides = {{{}, with}, {{}, with}};
  const PolicySet set({at("/a"), second});
  CHECK(set.policies()[0].index == 0);
  CHECK(set.policies()[1].index == 1);
  REQUIRE(set.policies()[1].overrides.size() == 2);
  for (const Override& one : set.policies()[1].overrides) CHECK(one.policy->index == 1);
  CHECK(with->index == 0);
}

namespace {

Policy enforced(Policy base, std::string name, Enforcement::Mode mode, int percent = 100) {
  base.name = std::move(name);
  base.enforcement = {mode, percent};
  return base;
}

Request unreadable(std::string target) {
  Request request;
  request.target = std::move(target);
  request.body = R"({"type":"x","type":"x"})";
  return request;
}

Request form(std::string body) {
  Request request;
  request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
  request.target = "/a";
  request.body = std::move(body);
  return request;
}

}  // namespace

TEST_CASE("an unreadable body is decided by the first policy that may cover it and is enforced") {
  using Mode = Enforcement::Mode;
  const Policy asks = when(at("/a"), equals(test::selector(Source::body, "/type"), {"x"}));
  const Policy other = when(at("/a"), equals(test::selector(Source::body, "/other"), {"y"}));
  std::vector<Policy> policies = {enforced(asks, "first", Mode::enforce), at("/a")};
  CHECK(chosen(PolicySet(policies), unreadable("/a")) == "first");
  CHECK(chosen(PolicySet(policies), unreadable("/b")) == "none");
  for (const auto& [mode, percent] :
       {std::pair(Mode::shadow, 100), {Mode::off, 100}, {Mode::enforce, 99}}) {
    policies = {enforced(asks, "first", mode, percent)};
    CHECK(chosen(PolicySet(policies), unreadable("/a")) == "first");
    policies.push_back(enforced(other, "second", Mode::enforce));
    CHECK(chosen(PolicySet(policies), unreadable("/a")) == "second");
    policies = {enforced(asks, "first", mode, percent), at("/a")};
    CHECK(chosen(PolicySet(policies), unreadable("/a")) == "/a");
  }
  // What does not depend on the body settles it.
  policies = {when(asks, equals(test::selector(Source::header, "x"), {"1"}))};
  CHECK(chosen(PolicySet(policies), unreadable("/a")) == "none");
}

TEST_CASE("an overriding method is as good as a request's own, where the policy minds") {
  Policy policy = at("/a");
  policy.match.methods = {"DELETE"};
  const PolicySet blind({policy});
  policy.match.method_override = true;
  const PolicySet set({policy, at("/b")});
  for (const char* name : {"X-HTTP-Method-Override", "x-http-method", "X-METHOD-OVERRIDE"}) {
    INFO(name);
    Request request = get("/a");
    request.headers = {{name, "PUT, delete"}};
    CHECK(chosen(set, request) == "/a");
    CHECK(chosen(blind, request) == "none");
    request.headers = {{name, "PUT"}};
    CHECK(chosen(set, request) == "none");
  }
  CHECK(chosen(set, get("/a?_method=Delete")) == "/a");
  CHECK(chosen(set, get("/a?method=DELETE")) == "none");
  Request own = get("/a");
  own.method = "DELETE";
  own.headers = {{"x-http-method", "GET"}};
  CHECK(chosen(set, own) == "/a");
  CHECK(chosen(set, form("x=1&_method=DELETE")) == "/a");
  CHECK(chosen(set, form("x=1&_method=PUT")) == "none");
  Request encoded = form("_method=PUT");
  encoded.headers.emplace_back("Content-Encoding", "gzip");
  CHECK(chosen(set, encoded) == "/a");
}
