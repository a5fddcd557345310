#include "proxy/delivery/kept_listeners.hpp"

#include <catch2/catch.hpp>
#include <map>

#include "fake_ledger.hpp"

namespace onceproxy::delivery {
namespace {

using namespace std::chrono_literals;
using policies::RemovedListeners;

const KeptListeners::Time start{1'000h};

class FakeNotes final : public store::Notes {
 public:
  std::map<std::string, std::string, std::less<>> all;
  bool full = false;

  std::optional<std::string> note(std::string_view name) const override {
    const auto found = all.find(name);
    return found == all.end() ? std::nullopt : std::optional(found->second);
  }
  bool keep(std::string_view name, std::string value) override {
    if (!full) all.insert_or_assign(std::string(name), std::move(value));
    return !full;
  }
  bool flush(std::chrono::milliseconds) override { return !full; }
  void forget(std::string_view name) override { all.erase(std::string(name)); }
  std::vector<std::pair<std::string, std::string>> notes(std::string_view prefix) const override {
    std::vector<std::pair<std::string, std::string>> out;
    for (const auto& each : all) {
      if (each.first.starts_with(prefix)) out.push_back(each);
    }
    return out;
  }
};

policies::Policy policy(const std::string& name, const std::vector<std::string>& listeners,
                        RemovedListeners removed = RemovedListeners::finish) {
  policies::DeliveryRules rules;
  policies::ListenerList list;
  for (const std::string& each : listeners) {
    list.emplace_back().name = each;
    list.back().path = "/" + name;
  }
  rules.listeners = std::make_shared<const policies::ListenerList>(std::move(list));
  rules.removed_listeners = removed;
  policies::Policy made;
  made.name = name;
  made.delivery = std::make_shared<const policies::DeliveryRules>(std::move(rules));
  return made;
}

std::vector<policies::Policy> these(policies::Policy one) {
  std::vector<policies::Policy> out;
  out.push_back(std::move(one));
  return out;
}

using Texts = std::vector<std::string>;

/// "policy/listener" of what is to be finished.
Texts finishing(const KeptListeners::Entries& entries) {
  Texts out;
  for (const KeptListener& kept : KeptListeners::finishing(entries)) {
    out.push_back(kept.policy + "/" + kept.listener.name);
  }
  return out;
}

struct Fixture {
  FakeNotes notes;
  testing::FakeLedger ledger;
  std::optional<KeptListeners> kept;

  Fixture() { restart(); }
  void restart(KeptListeners::Time now = start) { kept.emplace(&notes, ledger, now); }
  Texts use(const std::vector<policies::Policy>& policies, KeptListeners::Time now = start) {
    auto next = kept->prepare(policies, {}, now);
    const Texts out = finishing(next);
    kept->adopt(std::move(next));
    return out;
  }
};

TEST_CASE("A listener that its policy names no more is to be finished, also after a restart") {
  Fixture fixture;
  CHECK(fixture.use(these(policy("p", {"a", "b"}))).empty());
  CHECK(fixture.use(these(policy("p", {"a"}))) == Texts{"p/b"});
  fixture.restart();
  CHECK(fixture.use(these(policy("p", {"a"}))) == Texts{"p/b"});
  const auto kept =
      KeptListeners::finishing(fixture.kept->prepare(these(policy("p", {"a"})), {}, start));
  CHECK(kept.at(0).listener.path == "/p");
  // It comes back.
  CHECK(fixture.use(these(policy("p", {"a", "b"}))).empty());
}

TEST_CASE("A removal while the program was down is finished, and so is a policy that is gone") {
  Fixture fixture;
  fixture.use(these(policy("p", {"a", "b"})));
  fixture.restart();
  CHECK(fixture.use(these(policy("renamed", {"a"}))) == Texts{"p/a", "p/b"});
  CHECK(fixture.use({}) == Texts{"p/a", "p/b", "renamed/a"});
}

TEST_CASE("Nothing is finished for a policy that says remove") {
  Fixture fixture;
  CHECK(fixture.use(these(policy("p", {"a", "b"}, RemovedListeners::remove))).empty());
  CHECK(fixture.use(these(policy("p", {"a"}, RemovedListeners::remove))).empty());
  CHECK(fixture.notes.all.empty());
  fixture.use(these(policy("p", {"a", "b"})));
  CHECK(fixture.use(these(policy("p", {"a"}))) == Texts{"p/b"});
  CHECK(fixture.use(these(policy("p", {"a"}, RemovedListeners::remove))).empty());
  CHECK(fixture.notes.all.empty());
}

TEST_CASE("What is finished is let go an hour later, once nothing is pending") {
  Fixture fixture;
  fixture.ledger.add({"b"}, "x");
  SECTION("also if it cannot be counted") {
    fixture.ledger.uncounted = true;
  }
  SECTION("as it is counted") {}
  fixture.use(these(policy("p", {"a", "b"})));
  fixture.use(these(policy("p", {})));
  CHECK_FALSE(fixture.kept->look(start + 59min));
  CHECK(fixture.kept->look(start + 61min));
  CHECK(fixture.use(these(policy("p", {})), start + 61min) == Texts{"p/b"});
  CHECK(fixture.notes.all.size() == 1);
}

TEST_CASE("A configuration whose listeners cannot be kept is refused") {
  Fixture fixture;
  fixture.notes.full = true;
  CHECK_THROWS_AS(fixture.kept->prepare(these(policy("p", {"a"})), {}, start), std::runtime_error);
  // One that keeps nothing does not wait for the store.
  CHECK_NOTHROW(
      fixture.kept->prepare(these(policy("p", {"a"}, RemovedListeners::remove)), {}, start));
}

}  // namespace
}  // namespace onceproxy::delivery
