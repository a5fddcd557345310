#include "proxy/delivery/circuit.hpp"

#include <catch2/catch.hpp>

namespace onceproxy::delivery {
namespace {

using std::chrono::milliseconds;
using State = Circuit::State;

constexpr Circuit::Options three{3, milliseconds(100), milliseconds(350)};
const Circuit::Time start{std::chrono::hours(1)};

Circuit opened() {
  Circuit circuit(three);
  for (int i = 0; i < 3; ++i) circuit.failed(start);
  return circuit;
}

TEST_CASE("Failures in a row open the circuit, and a success between them does not", "[circuit]") {
  Circuit circuit(three);
  circuit.failed(start);
  circuit.failed(start);
  circuit.succeeded();
  circuit.failed(start);
  circuit.failed(start);
  CHECK(circuit.state(start) == State::closed);
  CHECK(circuit.try_begin(start));
  circuit.failed(start);
  CHECK(circuit.state(start) == State::open);
  CHECK_FALSE(circuit.try_begin(start));
}

TEST_CASE("A half-open circuit lets one trial through", "[circuit]") {
  Circuit circuit = opened();
  const auto later = start + milliseconds(100);
  CHECK_FALSE(circuit.try_begin(later - milliseconds(1)));
  CHECK(circuit.state(later) == State::half_open);
  CHECK(circuit.try_begin(later));
  CHECK_FALSE(circuit.try_begin(later));
}

TEST_CASE("A trial that succeeds closes the circuit", "[circuit]") {
  Circuit circuit = opened();
  REQUIRE(circuit.try_begin(start + milliseconds(100)));
  circuit.succeeded();
  CHECK(circuit.state(start) == State::closed);
  circuit.failed(start);
  CHECK(circuit.state(start) == State::closed);
}

TEST_CASE("A trial that fails opens it for twice as long, up to the limit", "[circuit]") {
  Circuit circuit = opened();
  auto now = start;
  for (const int expected : {200, 350, 350}) {
    now = circuit.open_until();
    REQUIRE(circuit.try_begin(now));
    circuit.failed(now);
    CHECK(circuit.open_until() - now == milliseconds(expected));
  }
}

TEST_CASE("What had begun before the circuit opened does not lengthen it", "[circuit]") {
  Circuit circuit = opened();
  const auto until = circuit.open_until();
  circuit.failed(start + milliseconds(50));
  CHECK(circuit.open_until() == until);
}

TEST_CASE("A trial that was withdrawn leaves room for another", "[circuit]") {
  Circuit circuit = opened();
  const auto later = circuit.open_until();
  REQUIRE(circuit.try_begin(later));
  circuit.withdrawn();
  CHECK(circuit.state(later) == State::half_open);
  CHECK(circuit.try_begin(later));
}

}  // namespace
}  // namespace onceproxy::delivery
