// The wait for the standbys, where the look at them stands behind a commit that waits itself.
#include "store/postgres/confirmer.hpp"

#include <catch2/catch.hpp>
#include <future>

#include "postgres_server.hpp"
#include "store/postgres/one_query.hpp"
#include "store/postgres/poll_loop.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;
using namespace std::chrono_literals;

namespace {

struct Waiting : Confirmation {
  explicit Waiting(Loop& loop) : Confirmation(loop) {
    resume = [](CallBase& base) { static_cast<Waiting&>(base).told.set_value(); };
  }
  std::promise<void> told;
};

void run_on(PollLoop& loop, const std::function<void()>& task) {
  std::promise<void> ran;
  post(loop, [&] {
    task();
    ran.set_value();
  });
  ran.get_future().wait();
}

}  // namespace

TEST_CASE("confirmer: who waits is told in time, though the look is not answered") {
  ONCEPROXY_NEEDS_POSTGRES();
  PostgresServer server;
  server.start_standby();
  PostgresOptions options = server.options();
  options.durability = Durability::quorum;
  PostgresTuning tuning;
  tuning.confirm_max = 200ms;
  Counters counters;
  Circuit circuit(tuning.circuit_failures);
  Connector connector(options, tuning, counters, [](const ConnectError&) {});
  PollLoop loop;
  std::optional<Channel> house;
  const Channel::Parts parts{options,
                             tuning,
                             connector,
                             counters,
                             circuit,
                             [](std::string_view, const std::string&, bool) {},
                             [](std::string_view) {}};
  run_on(loop, [&] { house.emplace(parts, loop, 1, false); });
  Confirmer confirmer(*house, tuning, counters);

  // With the standby: confirmed.
  Waiting first(loop);
  std::promise<std::int64_t> epoch;
  run_on(loop, [&] {
    OneQuery::send(*house, Statement::barrier, 5s, nullptr,
                   [&](const Reply& reply) { epoch.set_value(reply.epoch); });
  });
  first.epoch = epoch.get_future().get();
  first.until = BootClock::now() + 5s;
  confirmer.wait(first);
  REQUIRE(first.told.get_future().wait_for(5s) == std::future_status::ready);
  CHECK(first.outcome == Confirmation::Outcome::confirmed);

  // The only connection is taken by a commit that waits for good.
  server.stop_standby();
  run_on(loop, [&] { OneQuery::send(*house, Statement::barrier, 60s, nullptr); });
  // Those that come while a look is under way are told in time, too.
  std::vector<std::unique_ptr<Waiting>> later;
  for (int i = 0; i < 3; ++i) {
    Waiting& waiting = *later.emplace_back(std::make_unique<Waiting>(loop));
    waiting.epoch = first.epoch;
    waiting.until = BootClock::now() + 300ms;
    confirmer.wait(waiting);
    CHECK(waiting.told.get_future().wait_for(i == 1 ? 100ms : 3s) ==
          (i == 1 ? std::future_status::timeout : std::future_status::ready));
  }
  run_on(loop, [&] {
    confirmer.close();
    house->close();
  });
  for (const auto& waiting : later) CHECK(waiting->outcome == Confirmation::Outcome::unconfirmed);
  connector.stop();
  loop.stop();
}
