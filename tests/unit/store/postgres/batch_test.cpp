// Operations that share a statement: each gets its own answer, and none fails because of another.
#include "store/postgres/batch.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <future>
#include <random>
#include <set>
#include <thread>

#include "store/postgres/postgres_store.hpp"
#include "store_run.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

namespace {

/// A store whose operations are gathered, and another one that asks the database for each.
struct Gathered {
  explicit Gathered(PostgresTuning tuning = quick())
      : options(PostgresServer::shared().options()),
        store(open_tuned(options, 1, tuning, clock, {})),
        other(open_tuned(options, 1, quick(), clock, {})),
        together(*store, loop),
        verbs(*other) {
    // The session is there, and the database has committed something.
    CHECK(is<Reserved>(together.reserve({request(0)}).front()));
  }
  ~Gathered() {
    leave(*store, loop);
    store->close();
    other->close();
  }
  std::uint64_t round_trips() const { return store->stats().round_trips; }

  StoreClock clock;
  const PostgresOptions options;
  std::unique_ptr<PostgresStore> store;
  std::unique_ptr<PostgresStore> other;
  PollLoop loop;
  Together together;
  Verbs verbs;
};

std::vector<ReserveRequest> requests(std::uint64_t first, std::uint64_t number) {
  std::vector<ReserveRequest> out;
  for (std::uint64_t i = first; i < first + number; ++i) out.push_back(request(i));
  return out;
}

std::vector<Permit> permits(std::vector<ReserveResult> results) {
  std::vector<Permit> out;
  for (ReserveResult& result : results) {
    REQUIRE(is<Reserved>(result));
    out.push_back(std::move(std::get<Reserved>(result).permit));
  }
  return out;
}

/// Operations that do not share statements. More of them than the sessions have room for are under
/// way, because the next one begins as soon as one is answered.
class Flood {
 public:
  Flood(Store& store, PollLoop& loop, std::uint64_t first)
      : store_(store), loop_(loop), next_(first) {}
  void begin(int width) {
    post(loop_, [this, width] {
      for (int i = 0; i < width; ++i) begin_one();
    });
  }
  /// Waits until as many were answered.
  bool answers(int number) {
    const int before = signal_.read([&] { return answered_; });
    return signal_.wait([&] { return answered_ >= before + number; });
  }
  bool stop() {
    post(loop_, [this] { stopped_ = true; });
    return signal_.wait([&] { return answered_ == begun_; });
  }

 private:
  struct One : Call<ReserveResult> {
    One(Loop& home, Flood& whose, std::uint64_t number)
        : Call<ReserveResult>(home), owner(whose), asked(request(number)) {
      asked.rate.emplace().key = rate_key(number);
      resume = [](CallBase& base) { static_cast<One&>(base).owner.answered(); };
    }
    Flood& owner;
    ReserveRequest asked;
  };
  void begin_one() {
    One& one = *all_.emplace_back(std::make_unique<One>(loop_, *this, next_++));
    signal_.change([&] { ++begun_; });
    if (store_.reserve(one.asked, one)) post(loop_, [this] { answered(); });
  }
  void answered() {
    if (!stopped_) begin_one();
    signal_.change([&] { ++answered_; });
  }

  Store& store_;
  PollLoop& loop_;
  std::uint64_t next_;
  std::vector<std::unique_ptr<One>> all_;
  bool stopped_ = false;
  Signal signal_;
  int begun_ = 0;
  int answered_ = 0;
};

/// Begins a transaction that a reserve of this operation waits for, until it is known whether its
/// row stays.
void lock(PGconn* session, const std::string& schema, std::uint64_t number) {
  run(session, "BEGIN", "begin");
  run(session,
      "INSERT INTO " + schema +
          ".operations (fingerprint, state, nonce, holder, fence, attempt, created, settled, "
          "lease_ends, expires, keep, hold) VALUES ('\\x" +
          fingerprint(number).hex() + "', 2, '', '', 1, 1, 0, 0, 0, 0, 0, false)",
      "insert");
}

}  // namespace

TEST_CASE("batch: many operations at once share statements, and each has its own answer") {
  ONCEPROXY_NEEDS_POSTGRES();
  // Upkeep would add round trips of its own.
  PostgresTuning tuning = quick();
  tuning.tick = tuning.beat = 1h;
  Gathered gathered(tuning);
  constexpr std::uint64_t number = 300;
  const std::uint64_t before = gathered.round_trips();
  std::vector<ReserveRequest> asked = requests(1, number);
  for (std::uint64_t i = 0; i < number; i += 2)
    asked[i].payload = payload(static_cast<std::uint8_t>(i % 200));
  for (std::uint64_t i = 0; i < number; i += 3) asked[i].trace = "trace";
  std::vector<Permit> all = permits(gathered.together.reserve(asked));
  std::set<std::uint64_t> fences;
  for (const Permit& permit : all) fences.insert(permit.fence());
  CHECK(fences.size() == number);
  const auto body = [](std::size_t i) {
    return std::string(i * 37 % 5'000, 'x') + std::to_string(i);
  };
  for (const Settled settled : gathered.together.complete(std::move(all), [&](std::size_t i) {
         return answer(200 + static_cast<int>(i), body(i));
       })) {
    CHECK(settled == Settled::done);
  }
  CHECK(gathered.round_trips() - before < 20);
  for (std::uint64_t i = 0; i < number; ++i) {
    const ReserveResult again = gathered.verbs.reserve(asked[i]);
    REQUIRE(is<Completed>(again));
    const auto& completed = std::get<Completed>(again);
    CHECK(completed.answer.status == 200 + static_cast<int>(i));
    CHECK(completed.answer.body == body(i));
    CHECK(completed.trace == asked[i].trace);
    ReserveRequest different = asked[i];
    different.payload = payload(255);
    CHECK(is<Mismatch>(gathered.verbs.reserve(different)) == asked[i].payload.has_value());
  }
}

TEST_CASE("batch: large answers are replayed by statements of their own") {
  ONCEPROXY_NEEDS_POSTGRES();
  PostgresTuning tuning = quick();
  tuning.tick = tuning.beat = 1h;
  Gathered gathered(tuning);
  const std::vector<std::size_t> sizes{0, 16'000, 17'000, 100, 300'000};
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    CHECK(gathered.verbs.complete(gathered.verbs.permit(request(i + 1)),
                                  answer(200, std::string(sizes[i], 'x'))) == Settled::done);
  }
  const std::uint64_t before = gathered.round_trips();
  const auto results = gathered.together.reserve(requests(1, sizes.size() + 2));
  CHECK(gathered.round_trips() - before == 3);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    REQUIRE(is<Completed>(results[i]));
    const StoredAnswer& replayed = std::get<Completed>(results[i]).answer;
    CHECK(replayed.body == std::string(sizes[i], 'x'));
    CHECK(replayed.head == answer(200, "").head);
  }
  CHECK(is<Reserved>(results[sizes.size()]));
}

TEST_CASE("batch: of equal operations at once one is reserved") {
  ONCEPROXY_NEEDS_POSTGRES();
  Gathered gathered;
  CHECK(gathered.verbs.complete(gathered.verbs.permit(request(7)), answer(200, "known")) ==
        Settled::done);
  std::vector<ReserveRequest> asked;
  for (int i = 0; i < 30; ++i) {
    for (const std::uint64_t number : {5, 6, 7}) asked.push_back(request(number));
    asked.back().payload = payload(1);
    asked.push_back(request(8));
    asked.back().payload = payload(static_cast<std::uint8_t>(i % 2));
  }
  std::vector<Permit> reserved;
  int completed = 0;
  int mismatches = 0;
  for (ReserveResult& result : gathered.together.reserve(asked)) {
    if (is<Reserved>(result)) reserved.push_back(std::move(std::get<Reserved>(result).permit));
    if (is<Mismatch>(result)) ++mismatches;
    if (auto* const known = std::get_if<Completed>(&result)) {
      ++completed;
      CHECK(known->answer.body == "known");
    }
  }
  CHECK(reserved.size() == 3);
  CHECK(completed == 30);
  CHECK(mismatches == 15);
}

TEST_CASE("batch: two instances that ask for the same operations get each of them once") {
  ONCEPROXY_NEEDS_POSTGRES();
  StoreClock clock;
  PostgresOptions options = PostgresServer::shared().options();
  // The server looks for deadlocks before a wait for a lock has lasted too long.
  options.operation_timeout = 20s;
  constexpr std::uint64_t number = 400;
  struct Instance {
    Instance(const PostgresOptions& options, const Clock& clock)
        : store(open_tuned(options, 1, quick(), clock, {})), together(*store, loop) {}
    std::unique_ptr<PostgresStore> store;
    PollLoop loop;
    Together together;
  };
  Instance one(options, clock);
  Instance other(options, clock);
  for (std::uint64_t round = 0; round < 5; ++round) {
    std::vector<std::vector<ReserveResult>> results(2);
    const auto ask = [&](Instance& instance, std::size_t which) {
      std::vector<ReserveRequest> asked = requests(round * number, number);
      // With 0 the generator would begin as with 1.
      std::shuffle(asked.begin(), asked.end(), std::minstd_rand(static_cast<unsigned>(which) + 1));
      results[which] = instance.together.reserve(asked);
    };
    std::thread second([&] { ask(other, 1); });
    ask(one, 0);
    second.join();
    std::set<Fingerprint> reserved;
    for (std::size_t which = 0; which < 2; ++which) {
      std::vector<Permit> all;
      for (ReserveResult& result : results[which]) {
        auto* const got = std::get_if<Reserved>(&result);
        if (got == nullptr) {
          // Upkeep may not have shown yet that the other instance lives.
          CHECK((is<InFlight>(result) || is<Held>(result)));
          continue;
        }
        CHECK(reserved.insert(got->permit.fingerprint()).second);
        all.push_back(std::move(got->permit));
      }
      Instance& instance = which == 0 ? one : other;
      for (const Settled settled : instance.together.complete(
               std::move(all), [](std::size_t) { return answer(200, "x"); })) {
        CHECK(settled == Settled::done);
      }
    }
    CHECK(reserved.size() == number);
  }
  // All of them lock records in the same order.
  CHECK(one.store->stats().retries_deadlock + other.store->stats().retries_deadlock == 0);
  leave(*one.store, one.loop);
  leave(*other.store, other.loop);
  one.store->close();
  other.store->close();
}

TEST_CASE("batch: an operation that fails in the database leaves the others alone") {
  ONCEPROXY_NEEDS_POSTGRES();
  Gathered gathered;
  const auto sql = [](const std::string& text) { return PostgresServer::shared().sql(text); };
  const std::string& schema = gathered.options.schema;
  sql("CREATE FUNCTION " + schema +
      ".fails() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'made to fail' USING "
      "ERRCODE = '53100'; END $$");
  sql("CREATE TRIGGER fails BEFORE INSERT OR UPDATE ON " + schema +
      ".operations FOR EACH ROW WHEN (NEW.fingerprint = '\\x" + fingerprint(13).hex() +
      "') EXECUTE FUNCTION " + schema + ".fails()");
  std::vector<Permit> all;
  for (ReserveResult& result : gathered.together.reserve(requests(1, 50))) {
    if (auto* const reserved = std::get_if<Reserved>(&result)) {
      all.push_back(std::move(reserved->permit));
    } else {
      CHECK(is_unavailable(result, Unavailable::Reason::failed));
    }
  }
  CHECK(all.size() == 49);
  const std::uint64_t undone = gathered.store->stats().retries_other;
  CHECK(undone > 0);
  sql("DROP TRIGGER fails ON " + schema + ".operations");
  sql("CREATE TRIGGER fails BEFORE UPDATE ON " + schema +
      ".operations FOR EACH ROW WHEN (NEW.fingerprint = '\\x" + fingerprint(14).hex() +
      "') EXECUTE FUNCTION " + schema + ".fails()");
  int done = 0;
  for (const Settled settled :
       gathered.together.complete(std::move(all), [](std::size_t) { return answer(200, "x"); })) {
    if (settled == Settled::done) ++done;
  }
  CHECK(done == 48);
  CHECK(gathered.store->stats().retries_other > undone);
  CHECK(is<Completed>(gathered.verbs.reserve(request(50))));
  CHECK(is<InFlight>(gathered.verbs.reserve(request(14))));
  CHECK(is<Reserved>(gathered.verbs.reserve(request(13))));
}

TEST_CASE("batch: operations with an entity, a rate limit or a wait are made beside others") {
  ONCEPROXY_NEEDS_POSTGRES();
  Gathered gathered;
  std::vector<ReserveRequest> asked = requests(1, 40);
  for (std::uint64_t i = 0; i < 40; i += 4) {
    asked[i].entity.emplace().key = entity_key(i);
    asked[i].entity->turn = 0ms;
    asked[i + 1].rate.emplace().key = rate_key(i);
    asked[i + 2].wait = 1s;
  }
  for (const Settled settled :
       gathered.together.complete(permits(gathered.together.reserve(asked)),
                                  [](std::size_t) { return answer(200, "x"); })) {
    CHECK(settled == Settled::done);
  }
}

TEST_CASE("batch: operations that share statements are sent though others queue without a break") {
  ONCEPROXY_NEEDS_POSTGRES();
  PostgresTuning tuning = quick();
  tuning.pipeline_max = 2;
  StoreClock clock;
  PostgresOptions options = PostgresServer::shared().options();
  options.connections = 1;
  const auto store = open_tuned(options, 1, tuning, clock, {});
  PollLoop loop;
  Together together(*store, loop);
  CHECK(is<Reserved>(together.reserve({request(0)}).front()));
  Flood flood(*store, loop, 1'000);
  flood.begin(20);
  CHECK(flood.answers(20));
  std::vector<Permit> all;
  for (ReserveResult& result : together.reserve(requests(1, 10))) {
    CHECK(is<Reserved>(result));
    auto* const reserved = std::get_if<Reserved>(&result);
    if (reserved != nullptr) all.push_back(std::move(reserved->permit));
  }
  for (const Settled settled :
       together.complete(std::move(all), [](std::size_t) { return answer(200, "x"); })) {
    CHECK(settled == Settled::done);
  }
  CHECK(flood.stop());
  leave(*store, loop);
  store->close();
}

TEST_CASE("batch: an operation that waits for a lock does not take the others' time") {
  ONCEPROXY_NEEDS_POSTGRES();
  Gathered gathered;
  const pq::ConnectionPtr session(PQconnectdb(PostgresServer::shared().url().c_str()));
  lock(session.get(), gathered.options.schema, 13);
  int reserved = 0;
  for (const ReserveResult& result : gathered.together.reserve(requests(1, 100))) {
    if (is<Reserved>(result)) ++reserved;
  }
  // Some may be behind it on the same connection, more of them on a slow machine.
  CHECK(reserved >= 80);
  CHECK(reserved < 100);
  run(session.get(), "COMMIT", "commit");
}

TEST_CASE("batch: a statement that waits for a lock does not keep the next one from being sent") {
  ONCEPROXY_NEEDS_POSTGRES();
  Gathered gathered;
  const pq::ConnectionPtr session(PQconnectdb(PostgresServer::shared().url().c_str()));
  lock(session.get(), gathered.options.schema, 13);
  auto waits =
      std::async(std::launch::async, [&] { return gathered.together.reserve({request(13)}); });
  const pq::ConnectionPtr looks(PQconnectdb(PostgresServer::shared().url().c_str()));
  CHECK(within(10s, [&] {
    const pq::ResultPtr waiting(PQexec(
        looks.get(), "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'"));
    return PQntuples(waiting.get()) > 0;
  }));
  CHECK(is<Reserved>(gathered.together.reserve({request(1)}).front()));
  CHECK(waits.wait_for(0s) == std::future_status::timeout);
  run(session.get(), "COMMIT", "commit");
  waits.get();
}
