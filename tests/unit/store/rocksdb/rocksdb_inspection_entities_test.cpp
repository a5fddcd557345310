// What operators see of entities, and how they open them.
#include <catch2/catch.hpp>

#include "inspection_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;

TEST_CASE_METHOD(InspectionFixture, "an entity tells what is known of it") {
  CHECK_FALSE(entity());
  close_entity(1);
  auto view = entity();
  REQUIRE(view);
  CHECK(view->type == "ride");
  CHECK(view->id == "r-1");
  CHECK(view->closed_until == clock.now() + 1h);
  CHECK(view->sequence == 7);
  CHECK_FALSE(view->holder);
  CHECK(view->waiting == 0);

  ReserveRequest turn = on_entity(2);
  turn.entity->unless_closed = false;
  const Permit held = permit(turn);
  CHECK(entity()->holder == fingerprint(2));
}

TEST_CASE_METHOD(InspectionFixture, "an entity that is opened lets operations through again") {
  CHECK(inspection().open(entity_key(1)) == Changed::absent);
  close_entity(1);
  CHECK(is<Closed>(reserve(on_entity(2))));
  CHECK(inspection().open(entity_key(1)) == Changed::done);
  CHECK(inspection().open(entity_key(1)) == Changed::conflict);
  CHECK_FALSE(entity()->closed_until);
  CHECK(entity()->sequence == 7);
  open();
  CHECK_FALSE(entity()->closed_until);
  CHECK(is<Reserved>(reserve(on_entity(2))));
}

TEST_CASE_METHOD(InspectionFixture, "an entity is opened though somebody has its turn") {
  close_entity(1);
  ReserveRequest turn = on_entity(2);
  turn.entity->unless_closed = false;
  Permit held = permit(turn);
  CHECK(inspection().open(entity_key(1)) == Changed::done);
  complete(std::move(held), answer(200, ""));
  CHECK_FALSE(entity()->closed_until);
  open();
  CHECK_FALSE(entity()->closed_until);
}
