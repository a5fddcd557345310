// Paths: a normal form is its own normal form, has nothing left to normalise, and templates meet
// any path without harm.
#include <string>

#include "claim.hpp"
#include "policies/path.hpp"
#include "policies/path_template.hpp"
#include "policies/policy_set.hpp"

using namespace onceproxy::policies;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0) return 0;
  const bool pass = data[0] % 2 == 1;
  const std::string path(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string scratch;
  const auto normal = normalize_path(path, scratch, pass);
  if (normal) {
    claim(!normal->empty() && normal->front() == '/', "a path begins with a slash");
    const std::string guarded = std::string(*normal) + "/";
    claim(normal->find("//") == std::string_view::npos, "no slash is repeated");
    claim(guarded.find("/./") == std::string::npos, "no dot segment is left");
    claim(guarded.find("/../") == std::string::npos, "no dot segment is left");
    claim(normal->size() <= path.size(), "a path does not grow");
    std::string again;
    claim(normalize_path(*normal, again, pass) == *normal, "a normal form is its own");
  }

  // The path as a template, and the path against that template.
  auto segments = parse_path_template(path);
  if (!segments) return 0;
  Policy policy;
  policy.match.has_path = true;
  policy.match.path = std::move(*segments);
  const bool literal = path.find('{') == std::string::npos && path.find('*') == std::string::npos;
  std::vector<Policy> policies;
  policies.push_back(std::move(policy));
  const PolicySet set(std::move(policies));
  const RequestView request{"GET", path, normal ? *normal : std::string_view(path), {}, {}};
  const bool covered = !set.candidates(request).empty();
  if (literal && normal) claim(covered, "a template without captures covers its own path");
  return 0;
}
