// What the store tells its audit log, and when.
#include <algorithm>
#include <catch2/catch.hpp>

#include "audit_fixture.hpp"
#include "faulty_file_system.hpp"
#include "store/audit/query.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

/// "dispatch 1 completed 200": policy, attempt, and what became of it; newest first.
std::vector<std::string> forwards(RocksDbStore& store) {
  std::vector<std::string> out;
  AuditQuery query;
  query.decision = audit_forwarded;
  find(*store.audit(), query, [&](const AuditItem& item) {
    const auto& sent = std::get<AuditForward>(item.entry);
    std::string text = std::string(sent.policy) + " " + std::to_string(sent.attempt) + " " +
                       std::string(name(item.end.outcome));
    if (item.end.status != 0) text += " " + std::to_string(item.end.status);
    if (!item.end.error.empty()) text += " " + item.end.error;
    out.push_back(text);
  });
  return out;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("a reservation and its outcome are in the audit log before the caller is answered") {
  Fixture fixture;
  fixture.open();
  Permit one = fixture.permit(request(1));
  CHECK(forwards(*fixture.store) == Texts{"dispatch 1 pending"});
  REQUIRE(fixture.complete(std::move(one), answer(201, "")) == Settled::done);
  CHECK(forwards(*fixture.store) == Texts{"dispatch 1 completed 201"});
  REQUIRE(fixture.release(fixture.permit(request(2)), {503, {}}) == Settled::done);
  REQUIRE(fixture.release(fixture.permit(request(3)), {0, "refused"}) == Settled::done);
  REQUIRE(fixture.mark_unknown(fixture.permit(request(4)), "timeout") == Settled::done);
  CHECK(forwards(*fixture.store) == Texts{"dispatch 1 unknown timeout", "dispatch 1 failed refused",
                                          "dispatch 1 released 503", "dispatch 1 completed 201"});
}

TEST_CASE("an attempt that follows an unknown outcome is a forward of its own") {
  Fixture fixture;
  fixture.open();
  REQUIRE(fixture.mark_unknown(fixture.permit(request(1)), "timeout") == Settled::done);
  fixture.clock.advance(1min);
  REQUIRE(fixture.complete(fixture.permit(request(1)), answer(200, "")) == Settled::done);
  CHECK(forwards(*fixture.store) ==
        Texts{"dispatch 2 completed 200", "dispatch 1 unknown timeout"});
}

TEST_CASE("a duplicate is no forward") {
  Fixture fixture;
  fixture.open();
  REQUIRE(fixture.complete(fixture.permit(request(1)), answer(200, "")) == Settled::done);
  CHECK(is<Completed>(fixture.reserve(request(1))));
  CHECK(forwards(*fixture.store).size() == 1);
}

TEST_CASE("a permit that is dropped ends its forward as unknown") {
  Fixture fixture;
  fixture.open();
  { const Permit dropped = fixture.permit(request(1)); }
  // Its entry is written by the log's own thread.
  fixture.store->close();
  CHECK(forwards(*fixture.store) ==
        Texts{"dispatch 1 unknown the reservation was left to its lease"});
}

TEST_CASE("a reservation that nobody was given is not in the audit log, a late outcome is") {
  FaultyEnvironment environment;
  Fixture fixture;
  fixture.tuning.over = environment.over;
  fixture.open();
  Permit one = fixture.permit(request(1));
  environment.files->fault = FaultyFileSystem::Fault::log_append;
  CHECK(fixture.complete(std::move(one), answer(200, "")) == Settled::failed);
  environment.files->fault = FaultyFileSystem::Fault::create;
  CHECK(is<Unavailable>(fixture.reserve(request(2))));
  CHECK(forwards(*fixture.store) == Texts{"dispatch 1 pending"});
  environment.files->fault = FaultyFileSystem::Fault::none;
  REQUIRE(fixture.seen.wait_for_event("reopened"));
  CHECK(forwards(*fixture.store) == Texts{"dispatch 1 completed 200"});
}

TEST_CASE("without an audit log the store works as it does with one") {
  Fixture fixture;
  fixture.options.audit.enabled = false;
  fixture.open();
  CHECK(fixture.store->audit() == nullptr);
  REQUIRE(fixture.complete(fixture.permit(request(1)), answer(200, "")) == Settled::done);
  REQUIRE(fixture.release(fixture.permit(request(2))) == Settled::done);
  { const Permit dropped = fixture.permit(request(3)); }
  CHECK_FALSE(std::filesystem::exists(fixture.options.path / "audit"));
}
