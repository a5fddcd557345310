// What every backend promises of records: the same tests against each of them.
#include <catch2/catch.hpp>

#include "backends.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

TEMPLATE_TEST_CASE("conformance: a completed operation is answered with its answer", "",
                   RocksDbBackend, PostgresBackend) {
  ONCEPROXY_NEEDS_BACKEND();
  TestType backend;
  Verbs one(backend.first());
  Verbs other(backend.second());
  ReserveRequest asked = request(1);
  asked.trace = "trace-1";
  asked.payload = payload(1);
  Reserved reserved = one.reserved(asked);
  CHECK(reserved.attempt == 1);
  CHECK(reserved.permit.fence() > 0);
  CHECK(one.complete(std::move(reserved.permit), answer(201, std::string("a\0b", 3))) ==
        Settled::done);
  for (Verbs* const verbs : {&one, &other, &one}) {
    const ReserveResult again = verbs->reserve(asked);
    REQUIRE(is<Completed>(again));
    const auto& completed = std::get<Completed>(again);
    CHECK(completed.answer.status == 201);
    CHECK(completed.answer.head == "content-type: text/plain\r\n");
    CHECK(completed.answer.body == std::string("a\0b", 3));
    CHECK(completed.answer.replayable);
    CHECK(completed.trace == "trace-1");
  }
}

TEMPLATE_TEST_CASE("conformance: a large answer comes back whole", "", RocksDbBackend,
                   PostgresBackend) {
  ONCEPROXY_NEEDS_BACKEND();
  TestType backend;
  Verbs one(backend.first());
  Verbs other(backend.second());
  std::string body(1 << 20, '\0');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 7919 >> 3);
  CHECK(one.complete(one.permit(request(1)), answer(200, body)) == Settled::done);
  const ReserveResult again = other.reserve(request(1));
  REQUIRE(is<Completed>(again));
  CHECK(std::get<Completed>(again).answer.body == body);
}

TEMPLATE_TEST_CASE("conformance: another payload is a mismatch, whatever became of the operation",
                   "", RocksDbBackend, PostgresBackend) {
  ONCEPROXY_NEEDS_BACKEND();
  TestType backend;
  Verbs one(backend.first());
  Verbs other(backend.second());
  ReserveRequest asked = request(1);
  asked.payload = payload(1);
  ReserveRequest different = request(1);
  different.payload = payload(2);
  Permit permit = one.permit(asked);
  CHECK(is<Mismatch>(one.reserve(different)));
  CHECK(is<Mismatch>(other.reserve(different)));
  CHECK(one.complete(std::move(permit), answer(200, "done")) == Settled::done);
  CHECK(is<Mismatch>(one.reserve(different)));
  CHECK(is<Mismatch>(other.reserve(different)));
  CHECK(is<Completed>(one.reserve(asked)));
  CHECK(is<Completed>(one.reserve(request(1))));
}

TEMPLATE_TEST_CASE("conformance: what is under way is in flight for everybody else", "",
                   RocksDbBackend, PostgresBackend) {
  ONCEPROXY_NEEDS_BACKEND();
  TestType backend;
  Verbs one(backend.first());
  Verbs other(backend.second());
  Permit permit = one.permit(request(1));
  CHECK(is<InFlight>(one.reserve(request(1))));
  CHECK(is<InFlight>(other.reserve(request(1))));
  CHECK(one.release(std::move(permit)) == Settled::done);
}

TEMPLATE_TEST_CASE("conformance: a released operation is free at once", "", RocksDbBackend,
                   PostgresBackend) {
  ONCEPROXY_NEEDS_BACKEND();
  TestType backend;
  Verbs one(backend.first());
  Verbs other(backend.second());
  Reserved first = one.reserved(request(1));
  const std::uint64_t fence = first.permit.fence();
  CHECK(one.release(std::move(first.permit)) == Settled::done);
  Reserved second = other.reserved(request(1));
  CHECK(second.attempt == 1);
  CHECK(second.permit.fence() > fence);
  CHECK(other.complete(std::move(second.permit), answer(200, "")) == Settled::done);
}

TEMPLATE_TEST_CASE("conformance: an unknown outcome keeps others out until its lease ends", "",
                   RocksDbBackend, PostgresBackend) {
  ONCEPROXY_NEEDS_BACKEND();
  TestType backend;
  Verbs one(backend.first());
  Verbs other(backend.second());
  ReserveRequest asked = request(1);
  asked.terms.lease = 400ms;
  CHECK(one.mark_unknown(one.permit(asked)) == Settled::done);
  const ReserveResult held = other.reserve(asked);
  REQUIRE(is<Held>(held));
  REQUIRE(std::get<Held>(held).lease_left);
  CHECK(*std::get<Held>(held).lease_left <= 400ms);
  Reserved second = other.until<Reserved>(asked);
  CHECK(second.attempt == 2);
  CHECK(other.complete(std::move(second.permit), answer(200, "")) == Settled::done);
}

TEMPLATE_TEST_CASE("conformance: an unknown outcome that is held stays held", "", RocksDbBackend,
                   PostgresBackend) {
  ONCEPROXY_NEEDS_BACKEND();
  TestType backend;
  Verbs one(backend.first());
  ReserveRequest asked = request(1);
  asked.terms.lease = 200ms;
  asked.terms.unknown = OnUnknown::hold;
  CHECK(one.mark_unknown(one.permit(asked)) == Settled::done);
  const ReserveResult held = one.reserve(asked);
  REQUIRE(is<Held>(held));
  CHECK_FALSE(std::get<Held>(held).lease_left);
}

TEMPLATE_TEST_CASE("conformance: what has expired counts as not there", "", RocksDbBackend,
                   PostgresBackend) {
  ONCEPROXY_NEEDS_BACKEND();
  TestType backend;
  Verbs one(backend.first());
  Verbs other(backend.second());
  ReserveRequest asked = request(1);
  asked.terms.window = 300ms;
  CHECK(one.complete(one.permit(asked), answer(200, "first")) == Settled::done);
  CHECK(is<Completed>(other.reserve(asked)));
  Reserved second = other.until<Reserved>(asked);
  CHECK(second.attempt == 1);
  CHECK(other.release(std::move(second.permit)) == Settled::done);
}

TEMPLATE_TEST_CASE("conformance: a permit of a reservation that was taken away settles nothing", "",
                   RocksDbBackend, PostgresBackend) {
  ONCEPROXY_NEEDS_BACKEND();
  TestType backend;
  Verbs one(backend.first());
  Permit late = one.permit(request(1));
  CHECK(backend.inspection().release(fingerprint(1)) == Changed::done);
  Permit next = Verbs(backend.second()).permit(request(1));
  CHECK(one.complete(std::move(late), answer(200, "late")) == Settled::refused);
  CHECK(Verbs(backend.second()).complete(std::move(next), answer(200, "next")) == Settled::done);
  const ReserveResult again = one.reserve(request(1));
  REQUIRE(is<Completed>(again));
  CHECK(std::get<Completed>(again).answer.body == "next");
}

TEMPLATE_TEST_CASE("conformance: a completion ends what it names", "", RocksDbBackend,
                   PostgresBackend) {
  ONCEPROXY_NEEDS_BACKEND();
  TestType backend;
  Verbs one(backend.first());
  Verbs other(backend.second());
  ReserveRequest begun = request(1);
  begun.may_be_ended = true;
  CHECK(one.complete(one.permit(begun), answer(200, "begun")) == Settled::done);
  CHECK(is<Completed>(other.reserve(begun)));
  const std::vector<Fingerprint> ends{fingerprint(1)};
  CHECK(other.complete(other.permit(request(2)), answer(200, "ended"), ends) == Settled::done);
  Permit again = one.permit(begun);
  // One that is under way goes on, and is not remembered.
  CHECK(other.complete(other.permit(request(3)), answer(200, "ended"), ends) == Settled::done);
  CHECK(one.complete(std::move(again), answer(200, "unremembered")) == Settled::done);
  CHECK(one.release(one.permit(begun)) == Settled::done);
}

TEMPLATE_TEST_CASE("conformance: one of many that ask at once gets the reservation", "",
                   RocksDbBackend, PostgresBackend) {
  ONCEPROXY_NEEDS_BACKEND();
  TestType backend;
  constexpr int keys = 20;
  constexpr int clients = 8;
  std::atomic<int> reserved{0};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int client = 0; client < clients; ++client) {
    threads.emplace_back([&, client] {
      Verbs verbs(client % 2 == 0 ? backend.first() : backend.second());
      for (std::uint64_t key = 1; key <= keys; ++key) {
        ReserveResult result = verbs.reserve(request(key));
        if (auto* const mine = std::get_if<Reserved>(&result)) {
          ++reserved;
          const std::string body = std::to_string(key);
          if (verbs.complete(std::move(mine->permit), answer(200, body)) != Settled::done) ++wrong;
        } else if (const auto* const done = std::get_if<Completed>(&result)) {
          if (done->answer.body != std::to_string(key)) ++wrong;
        } else if (!is<InFlight>(result)) {
          ++wrong;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(reserved == keys);
  CHECK(wrong == 0);
}
