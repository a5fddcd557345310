#include "proxy/delivery/kept_listener.hpp"

#include <catch2/catch.hpp>

namespace onceproxy::delivery {
namespace {

using namespace std::chrono_literals;

KeptListener whole() {
  KeptListener kept;
  kept.policy = "dispatch";
  kept.signing_key_file = "/run/key";
  policies::Listener& listener = kept.listener;
  listener.name = "Billing";
  listener.address = {"billing.example", 8443, ""};
  listener.path = "/events?v=1";
  listener.headers = {{"X-Key", "a: b", false}, {"Authorization", "authorization", true}};
  listener.timeout = 3s;
  listener.attempts = 30;
  listener.backoff = {50ms, 7min, 0.35};
  listener.concurrency_max = 4;
  listener.rate = policies::ListenerRate{100, 2s};
  listener.tls = policies::ListenerTls{"/ca.pem", "billing", "/c.pem", "/k.pem"};
  return kept;
}

TEST_CASE("A listener that is kept comes back as it was") {
  CHECK(decode_kept_listener(encode(whole())) == whole());
  KeptListener little;
  little.policy = "p";
  little.listener.name = "l";
  little.listener.address.unix_path = "/run/l.sock";
  CHECK(decode_kept_listener(encode(little)) == little);
}

TEST_CASE("Bytes that are no kept listener are refused") {
  const std::string bytes = encode(whole());
  CHECK_FALSE(decode_kept_listener(""));
  CHECK_FALSE(decode_kept_listener(bytes + "x"));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK_FALSE(decode_kept_listener(std::string_view(bytes).substr(0, size)));
  }
  std::string later = bytes;
  later[0] = 2;
  CHECK_FALSE(decode_kept_listener(later));
}

}  // namespace
}  // namespace onceproxy::delivery
