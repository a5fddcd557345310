#include "proxy/http/request_ids.hpp"

#include <catch2/catch.hpp>
#include <cctype>
#include <set>
#include <string>

namespace onceproxy::http {
namespace {

/// RFC 9562, 5.4: "xxxxxxxx-xxxx-4xxx-Nxxx-xxxxxxxxxxxx", where N is 8, 9, a or b.
bool random_uuid(const std::string& id) {
  if (id.size() != 36 || id[14] != '4') return false;
  if (std::string("89ab").find(id[19]) == std::string::npos) return false;
  for (std::size_t i = 0; i < id.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    const bool digit = std::isxdigit(static_cast<unsigned char>(id[i])) && !std::isupper(id[i]);
    if (dash ? id[i] != '-' : !digit) return false;
  }
  return true;
}

TEST_CASE("A request id is a random UUID") {
  RequestIds ids;
  for (int i = 0; i < 100; ++i) {
    const std::string id = ids.next();
    CAPTURE(id);
    CHECK(random_uuid(id));
  }
}

TEST_CASE("Two workers make no id twice") {
  RequestIds one;
  RequestIds other;
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    seen.insert(one.next());
    seen.insert(other.next());
  }
  CHECK(seen.size() == 2000);
}

}  // namespace
}  // namespace onceproxy::http
