#include "store/postgres/failure.hpp"

#include <catch2/catch.hpp>

using onceproxy::store::failure_of;

TEST_CASE("failure: what did not happen and may succeed at once is sent again") {
  for (const char* const state : {"40001", "40P01", "57P01", "57P03", "08006"}) {
    CHECK(failure_of(state).retry);
  }
  for (const char* const state : {"53100", "53300", "25006", "57014", "42883", "28P01", "22021"}) {
    CHECK_FALSE(failure_of(state).retry);
  }
}

TEST_CASE("failure: a session that cannot serve is left") {
  for (const char* const state : {"25006", "53300", "57P01", "08006", "42883", "28P01"}) {
    CHECK(failure_of(state).leave);
  }
  for (const char* const state : {"40001", "53100", "57014", "22021"}) {
    CHECK_FALSE(failure_of(state).leave);
  }
}

TEST_CASE("failure: each kind has its word") {
  CHECK(failure_of("53100").kind == "disk_full");
  CHECK(failure_of("25006").kind == "read_only");
  CHECK(failure_of("53300").kind == "connections");
  CHECK(failure_of("40P01").kind == "deadlock");
  CHECK(failure_of("40001").kind == "conflict");
  CHECK(failure_of("57014").kind == "statement_timeout");
  CHECK(failure_of("57P02").kind == "shutdown");
  CHECK(failure_of("42P01").kind == "schema");
  CHECK(failure_of("XX000").kind == "other");
}
