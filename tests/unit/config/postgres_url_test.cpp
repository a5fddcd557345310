#include "config/postgres_url.hpp"

#include <catch2/catch.hpp>

namespace onceproxy::config {
namespace {

TEST_CASE("A URL of libpq's is accepted in every form that names a host") {
  for (const char* const good :
       {"postgresql://db", "postgres://db/onceproxy", "postgresql://me@db:5432/onceproxy",
        "postgresql://me@a,b:5433,[::1]:5434/db?target_session_attrs=read-write",
        "postgresql://me@%2Fvar%2Frun%2Fpostgresql/db", "postgresql:///db?host=/var/run/postgresql",
        "postgresql://db/x?sslmode=verify-full&sslrootcert=/ca.pem&connect_timeout=3",
        "postgresql:///?service=onceproxy", "postgresql://me:p%40ss@db/x"}) {
    CAPTURE(good);
    CHECK(not_a_postgres_url(good) == std::nullopt);
  }
}

TEST_CASE("A URL that is not valid is reported with the remedy") {
  const auto wrong = [](std::string_view url) { return not_a_postgres_url(url).value_or("good"); };
  CHECK(wrong("mysql://db/x") ==
        "is not a URL such as postgresql://onceproxy@db.example/onceproxy");
  CHECK(wrong("host=db dbname=x") ==
        "is a list of keywords and values; write it as a URL such as "
        "postgresql://onceproxy@db.example/onceproxy");
  CHECK(wrong("postgresql:///x") ==
        "names no host; write one such as postgresql://onceproxy@db.example/onceproxy");
  CHECK(wrong("postgresql://db:0/x") == "has a port that is not a number from 1 to 65535");
  CHECK(wrong("postgresql://db:5432,b:70000/x") ==
        "has a port that is not a number from 1 to 65535");
  CHECK(wrong("postgresql://db:pg/x") == "has a port that is not a number from 1 to 65535");
  CHECK(wrong("postgresql://d b/x") == "has a character that a URL must write percent-encoded");
  CHECK(wrong("postgresql://db/x%2") == "has a % that two hexadecimal digits do not follow");
  CHECK(wrong("postgresql://me:a/b@db/x") ==
        "has a / or @ in its password; write them as %2F and %40");
  CHECK(wrong("postgresql://me:a@b@db/x") ==
        "has a / or @ in its password; write them as %2F and %40");
  CHECK(wrong("postgresql://db/x?ssl_mode=require") ==
        "has a parameter \"ssl_mode\" that libpq does not know; did you mean \"sslmode\"?");
  CHECK(wrong("postgresql://db/x?sslmode=on") ==
        "has an unknown `sslmode`; it is one of disable, allow, prefer, require, verify-ca or "
        "verify-full");
  CHECK(wrong("postgresql://db/x?replication=database") ==
        "has the parameter `replication`, which onceproxy sets itself; remove it");
  CHECK(wrong("postgresql://db/x?target_session_attrs=standby") ==
        "has a `target_session_attrs` under which onceproxy could not write; it is read-write or "
        "primary");
  CHECK(wrong("postgresql://db/x?options=-csynchronous_commit%3Doff") ==
        "sets synchronous_commit; `durability` decides on it, so remove it from `options`");
}

TEST_CASE("No password is shown, wherever it stands and however it is written") {
  CHECK(without_password("postgresql://me:secret@db/x") == "postgresql://me:[redacted]@db/x");
  CHECK(without_password("postgresql://me@db:5432/x?application_name=a@b") ==
        "postgresql://me@db:5432/x?application_name=a@b");
  CHECK(
      without_password("postgresql://db/x?user=me&password=s%3D1&sslpassword=t&sslmode=require") ==
      "postgresql://db/x?user=me&password=[redacted]&sslpassword=[redacted]&sslmode=require");
  for (const char* const wrong :
       {"postgresql://me:se/cret@db/x", "postgresql://me:se@cret@db/x",
        "postgresql://me:se?cret@db", "postgresql://:secret@db/x", "postgresql://me:/secret@db"}) {
    CAPTURE(wrong);
    CHECK(without_password(wrong).find("cret") == std::string::npos);
    CHECK(mask_passwords(wrong).find("cret") == std::string::npos);
  }
  CHECK(has_password("postgresql://me:secret@db/x"));
  CHECK(has_password("postgresql://db/x?password=p"));
  CHECK_FALSE(has_password("postgresql://me@db:5432/x"));
}

TEST_CASE("Passwords within a line are masked where they stand") {
  CHECK(mask_passwords("  postgres: {url: \"postgresql://me:secret@db/x\"}  # postgres://a:b@c") ==
        "  postgres: {url: \"postgresql://me:******@db/x\"}  # postgres://a:*@c");
  CHECK(mask_passwords("postgres: {connections: 4}") == "postgres: {connections: 4}");
}

}  // namespace
}  // namespace onceproxy::config
