// Kills a process that uses the store, for real and at random, and checks that everything it had
// been told is there. ONCEPROXY_CRASH_ROUNDS sets how often, ONCEPROXY_CRASH_SEED repeats a run.
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <map>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "crash_entities.hpp"
#include "crash_keys.hpp"
#include "store/store_clock.hpp"
#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::crash;
using namespace onceproxy::store::testing;

namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* const text = ::getenv(name);
  return text == nullptr ? otherwise : std::stoull(text);
}

/// A child that runs until it is killed, or until its input ends.
class Child {
 public:
  explicit Child(std::vector<std::string> arguments) {
    int in[2];
    int out[2];
    if (::pipe2(in, O_CLOEXEC) != 0 || ::pipe2(out, O_CLOEXEC) != 0) throw std::bad_alloc();
    arguments.insert(arguments.begin(), STORE_CHILD);
    std::vector<char*> pointers;
    for (std::string& argument : arguments) pointers.push_back(argument.data());
    pointers.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(in[0], STDIN_FILENO);
      ::dup2(out[1], STDOUT_FILENO);
      ::execv(pointers[0], pointers.data());
      ::_exit(127);
    }
    ::close(in[0]);
    ::close(out[1]);
    input_ = in[1];
    output_ = ::fdopen(out[0], "r");
  }
  ~Child() {
    kill();
    ::close(input_);
    std::fclose(output_);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  /// False at the end of its output.
  bool read_line(std::string& line) {
    char buffer[128];
    if (std::fgets(buffer, sizeof buffer, output_) == nullptr) return false;
    line = buffer;
    return true;
  }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(std::exchange(pid_, 0), nullptr, 0);
  }

 private:
  pid_t pid_ = 0;
  int input_ = -1;
  std::FILE* output_ = nullptr;
};

struct Acknowledged {
  bool settled = false;
};
using Told = std::map<std::uint64_t, Acknowledged>;

/// What the child was told, from its lines.
void note(const std::string& line, Told& told, std::uint64_t& fence_highest) {
  std::istringstream words(line);
  std::string verb;
  std::uint64_t number = 0;
  std::uint64_t fence = 0;
  words >> verb >> number >> fence;
  if (verb == "R") {
    told[number];
    fence_highest = std::max(fence_highest, fence);
  } else {
    told[number].settled = true;
  }
}

/// Whether what a reserve gets now is what that past allows.
bool allowed(std::uint64_t number, bool settled, const ReserveResult& result) {
  const auto* const completed = std::get_if<Completed>(&result);
  switch (ending_of(number)) {
    case Ending::completed:
      if (completed == nullptr) return !settled && is<Held>(result);
      return completed->answer.body == answer_of(number).body &&
             completed->answer.head == answer_of(number).head;
    case Ending::released:
      return is<Reserved>(result) || (!settled && is<Held>(result));
    case Ending::unknown:
      return is<Held>(result);
  }
  return false;
}

}  // namespace

TEST_CASE("kill -9 at any moment loses nothing that was acknowledged") {
  const std::uint64_t rounds = from_environment("ONCEPROXY_CRASH_ROUNDS", 6);
  const std::uint64_t seed = from_environment("ONCEPROXY_CRASH_SEED", std::random_device{}());
  std::cout << "ONCEPROXY_CRASH_SEED=" << seed << std::endl;
  std::mt19937_64 random(seed);
  Fixture fixture;
  Told told;
  std::uint64_t fence_highest = 0;
  StoreClock clock;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    const std::uint64_t first = round * 10'000'000;
    {
      Child child(
          {fixture.options.path.string(), round % 2 == 0 ? "all" : "none", std::to_string(first)});
      // Counted in lines, not in time: a moment at which much is under way.
      const std::uint64_t lines = 1 + random() % 4'000;
      std::string line;
      std::uint64_t read = 0;
      while (read < lines && child.read_line(line)) {
        note(line, told, fence_highest);
        ++read;
      }
      REQUIRE(read == lines);
      child.kill();
      while (child.read_line(line)) note(line, told, fence_highest);
    }
    fixture.store = RocksDbStore::open(fixture.options, clock, fixture.seen.observer());
    CAPTURE(seed, round);
    for (auto& [number, acknowledged] : told) {
      ReserveResult result = fixture.reserve(request_of(number));
      CAPTURE(number, acknowledged.settled, result.index());
      REQUIRE(allowed(number, acknowledged.settled, result));
      if (auto* const reserved = std::get_if<Reserved>(&result)) {
        REQUIRE(reserved->permit.fence() > fence_highest);
        fence_highest = reserved->permit.fence();
        REQUIRE(fixture.release(std::move(reserved->permit)) == Settled::done);
        acknowledged.settled = true;
      }
    }
    REQUIRE(fixture.seen.failures.empty());
    fixture.store.reset();
  }
  CHECK(told.size() > rounds);
}

TEST_CASE("kill -9 forgets no closing, no sequence, no token and no turn") {
  const auto sync = GENERATE(as<std::string>(), "all", "none");
  Fixture fixture;
  {
    Child child({fixture.options.path.string(), sync, "0", "entities"});
    std::string line;
    REQUIRE(child.read_line(line));
    REQUIRE(line == "open\n");
    child.kill();
  }
  // The child's clock was the system's; this one stands where it was, give or take.
  fixture.open();
  ReserveRequest unless_closed = on_entity(11, 1);
  unless_closed.entity->unless_closed = true;
  CHECK(is<Closed>(fixture.reserve(unless_closed)));
  CHECK(is<Stale>(fixture.reserve(sequenced(12, sequence_completed))));
  CHECK(is<Reserved>(fixture.reserve(sequenced(13, sequence_completed + 1))));
  CHECK(is<RateLimited>(fixture.reserve(limited(14))));
  CHECK(is<NoTurn>(fixture.reserve(on_entity(15, 3))));
  CHECK(is<Held>(fixture.reserve(holding())));
  fixture.clock.advance(crash_lease - 1min);
  CHECK(is<NoTurn>(fixture.reserve(on_entity(15, 3))));
  fixture.clock.advance(2min);
  CHECK(is<Reserved>(fixture.reserve(on_entity(15, 3))));
  CHECK(is<RateLimited>(fixture.reserve(limited(14))));
  CHECK(is<Closed>(fixture.reserve(unless_closed)));
  fixture.clock.advance(1h);
  CHECK(is<Reserved>(fixture.reserve(limited(14))));
  CHECK(is<Reserved>(fixture.reserve(unless_closed)));
  CHECK(fixture.seen.failures.empty());
}

TEST_CASE("a directory that another process has open is refused, and that process named") {
  Fixture fixture;
  Child child({fixture.options.path.string(), "all", "0", "hold"});
  std::string line;
  REQUIRE(child.read_line(line));
  REQUIRE(line == "open\n");
  std::string text;
  try {
    fixture.open();
  } catch (const std::runtime_error& error) {
    text = error.what();
  }
  CHECK(text == "store " + fixture.options.path.string() + ": in use by another process (" +
                    std::to_string(child.pid()) + "); stop that process or choose another path");
  child.kill();
  CHECK_NOTHROW(fixture.open());
}
