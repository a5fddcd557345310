// The process that the store's crash tests kill: it reserves and settles numbered keys as fast as
// it can, and prints each result once it was answered. What it has printed must be on disk.
//
//   store_child DIRECTORY SYNC FIRST_NUMBER [hold | entities]
//
// A line is "R <number> <fence>" for a reservation, "S <number>" for a settlement, one write each.
// With `hold` it prints "open" and waits for the end of its input; with `entities` it does so after
// what crash_entities.hpp says was done.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "crash_entities.hpp"
#include "crash_keys.hpp"
#include "store/store_clock.hpp"
#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::crash;
using namespace onceproxy::store::testing;

namespace {

void print(const std::string& line) {
  if (::write(STDOUT_FILENO, line.data(), line.size()) < 0) std::abort();
}

void run(RocksDbStore& store, Loop& loop, std::atomic<std::uint64_t>& numbers) {
  for (;;) {
    const std::uint64_t number = numbers.fetch_add(1);
    Waiting<ReserveResult> reserve(loop);
    const ReserveRequest request = request_of(number);
    if (!store.reserve(request, reserve)) reserve.wait();
    auto* const reserved = std::get_if<Reserved>(&*reserve.result);
    if (reserved == nullptr) continue;  // a key of an earlier life
    print("R " + std::to_string(number) + " " + std::to_string(reserved->permit.fence()) + "\n");
    Waiting<Settled> settle(loop);
    const auto settle_it = [&] {
      switch (ending_of(number)) {
        case Ending::completed:
          return store.complete(std::move(reserved->permit), answer_of(number), settle);
        case Ending::released:
          return store.release(std::move(reserved->permit), {503, {}}, settle);
        case Ending::unknown:
          break;
      }
      return store.mark_unknown(std::move(reserved->permit), "timeout", settle);
    };
    if (!settle_it()) settle.wait();
    if (*settle.result == Settled::done) print("S " + std::to_string(number) + "\n");
  }
}

Permit reserve_one(RocksDbStore& store, Loop& loop, const ReserveRequest& request) {
  Waiting<ReserveResult> call(loop);
  if (!store.reserve(request, call)) call.wait();
  return std::move(std::get<Reserved>(*call.result).permit);
}

/// Everything that crash_entities.hpp names, in its order; the last permit is held for ever.
void prepare_entities(RocksDbStore& store, Loop& loop) {
  for (const ReserveRequest& request :
       {closing(), sequenced(2, sequence_completed), limited(3), limited(4)}) {
    Waiting<Settled> call(loop);
    if (!store.complete(reserve_one(store, loop, request), answer(200, ""), call)) call.wait();
    if (*call.result != Settled::done) std::abort();
  }
  reserve_one(store, loop, holding()).use();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) return 2;
  RocksDbOptions options;
  options.path = argv[1];
  options.sync = std::string(argv[2]) == "none" ? Sync::none : Sync::all;
  StoreClock clock;
  const auto store = RocksDbStore::open(options, clock, {});
  if (argc > 4) {
    DirectLoop loop;
    if (std::string(argv[4]) == "entities") prepare_entities(*store, loop);
    print("open\n");
    char byte;
    while (::read(STDIN_FILENO, &byte, 1) > 0) {
    }
    return 0;
  }
  DirectLoop loop;
  std::atomic<std::uint64_t> numbers{std::stoull(argv[3])};
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) {
    threads.emplace_back([&] { run(*store, loop, numbers); });
  }
  for (std::thread& thread : threads) thread.join();
}
