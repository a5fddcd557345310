#include "store/rocksdb/directory_lock.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;
namespace fs = std::filesystem;

TEST_CASE("a directory is one taker's until it is given back, whatever happens to its files") {
  TemporaryDirectory directory;
  std::ofstream(directory.path() / "LOCK") << "";
  DirectoryLock first(directory.path());
  CHECK_FALSE(first.take());
  fs::remove(directory.path() / "LOCK");
  DirectoryLock second(directory.path());
  const auto holder = second.take();
  REQUIRE(holder);
  CHECK(holder->process == ::getpid());
  CHECK(holder->is_this_process);
  first.give_back();
  CHECK_FALSE(second.take());
}

TEST_CASE("a directory that was removed or replaced is told, and is good again once it is back") {
  TemporaryDirectory directory;
  const fs::path path = directory.path() / "store";
  fs::create_directory(path);
  DirectoryLock lock(path);
  CHECK_FALSE(lock.problem());
  CHECK_FALSE(lock.take());
  CHECK_FALSE(lock.problem());
  fs::rename(path, directory.path() / "moved");
  CHECK(lock.problem() == "the directory is gone");
  fs::create_directory(path);
  CHECK(lock.problem() == "another directory is in its place");
  fs::remove(path);
  fs::rename(directory.path() / "moved", path);
  CHECK_FALSE(lock.problem());
}

TEST_CASE("a path that is not a directory cannot be locked") {
  TemporaryDirectory directory;
  DirectoryLock lock(directory.path() / "missing");
  CHECK_THROWS_AS(lock.take(), std::system_error);
}
