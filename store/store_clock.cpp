#include "store/store_clock.hpp"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "store/codec.hpp"
#include "store/hex.hpp"

namespace onceproxy::store {

// What the database keeps of time, in the family `meta`, all numbers little-endian:
//
//   clock      := version flags time since_boot ahead boot
//   version    := u8     1
//   flags      := u8     1 the wall clock was not believed
//   time       := i64    the store's, milliseconds since 1970
//   since_boot := i64    CLOCK_BOOTTIME, milliseconds
//   ahead      := i64    of `time`, over the wall clock, milliseconds
//   boot       := 16 bytes
namespace {

using Millis = std::chrono::milliseconds;
using Nanos = std::chrono::nanoseconds;

constexpr std::uint8_t version = 1;
constexpr std::uint8_t doubted_flag = 1;

Nanos read_clock(clockid_t clock) {
  timespec out{};
  ::clock_gettime(clock, &out);
  return std::chrono::seconds(out.tv_sec) + Nanos(out.tv_nsec);
}

/// "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"; zeros where it cannot be read.
BootId read_boot_id() {
  const int file = ::open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  std::array<char, 64> text{};
  const ssize_t size = ::read(file, text.data(), text.size());
  ::close(file);
  BootId out{};
  std::size_t digits = 0;
  for (ssize_t i = 0; i < size && digits < 2 * out.size(); ++i) {
    const int digit = hex_value(text[static_cast<std::size_t>(i)]);
    if (digit < 0) continue;
    std::uint8_t& byte = out[digits++ / 2];
    byte = static_cast<std::uint8_t>(byte << 4 | digit);
  }
  return digits == 2 * out.size() ? out : BootId{};
}

WallTime floor_to_wall(Nanos time) {
  return WallTime(std::chrono::floor<Millis>(time));
}

/// "2026-11-27T08:42:25Z".
std::string text(WallTime time) {
  const std::time_t seconds =
      std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  std::tm parts{};
  std::array<char, 64> out{};
  if (::gmtime_r(&seconds, &parts) == nullptr) return "(not a valid date)";
  return {out.data(), std::strftime(out.data(), out.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

/// "3653 days", "2 hours", rounded down to the unit but to the nearest second; without its sign.
std::string text(Millis time) {
  const std::int64_t seconds = (std::abs(time.count()) + 500) / 1'000;
  constexpr std::pair<std::int64_t, const char*> units[] = {
      {86'400, " days"}, {3'600, " hours"}, {60, " minutes"}, {1, " seconds"}};
  for (const auto& [size, name] : units) {
    if (seconds >= 2 * size) return std::to_string(seconds / size) + name;
  }
  return std::to_string(seconds) + " seconds";
}

bool believable(WallTime wall, WallTime kept, const ClockTrust& trust) {
  return wall >= kept - clocks_apart_max && wall - kept <= trust.ahead_max;
}

/// What a wall clock that is believed says the store's time is; nothing where it is not.
std::optional<WallTime> believed(WallTime wall, Millis ahead, WallTime kept,
                                 const ClockTrust& trust) {
  if (believable(wall, kept, trust)) return std::max(wall, kept);
  if (believable(wall + ahead, kept, trust)) return std::max(wall + ahead, kept);
  return std::nullopt;
}

/// The message for an operator at a start.
std::string say_start(const std::optional<ClockMemory>& kept, const ClockStart& start,
                      const ClockTrust& trust, WallTime wall) {
  const Millis apart = wall - start.time;
  const std::string clocks = "the wall clock says " + text(wall) + ", " + text(apart) +
                             (apart < Millis(0) ? " behind" : " ahead of") + " the store's time, " +
                             text(start.time);
  if (start.doubted) {
    return "clock in doubt: " + clocks +
           (apart > Millis(0) ? " (more than store.clock_ahead_max)" : "") +
           "; the store continues with its own time and removes no expired records until the wall "
           "clock is corrected; if it is right, start once with --accept-clock";
  }
  if (kept && trust.accept) {
    return "clock: accepted by --accept-clock; the store's time goes from " + text(kept->time) +
           " to " + text(start.time);
  }
  if (std::chrono::abs(apart) > clocks_apart_max) {
    return "clock: " + clocks + ", which follows slowly";
  }
  return {};
}

}  // namespace

std::string encode(const ClockMemory& memory) {
  Writer out(42);
  out.number(version);
  out.number(memory.doubted ? doubted_flag : std::uint8_t{0});
  out.time(memory.time);
  out.number<std::int64_t>(memory.since_boot.count());
  out.number<std::int64_t>(memory.ahead.count());
  out.raw({reinterpret_cast<const char*>(memory.boot.data()), memory.boot.size()});
  return out.take();
}

std::optional<ClockMemory> decode_clock(std::string_view bytes) {
  Reader in(bytes);
  ClockMemory out;
  const bool known = in.number<std::uint8_t>() == version;
  const auto flags = in.number<std::uint8_t>();
  out.doubted = flags == doubted_flag;
  out.time = in.time();
  out.since_boot = Millis(in.number<std::int64_t>());
  out.ahead = Millis(in.number<std::int64_t>());
  in.into(out.boot);
  if (!known || flags > doubted_flag || !in.good_to_the_end()) return std::nullopt;
  return out;
}

TimeSources system_time() {
  return {[] { return floor_to_wall(read_clock(CLOCK_REALTIME)); },
          [] { return read_clock(CLOCK_BOOTTIME); }, read_boot_id()};
}

ClockStart start_clock(const std::optional<ClockMemory>& kept, const ClockTrust& trust,
                       const BootId& boot, Millis since_boot, WallTime wall) {
  if (!kept) return {wall, Millis(0), false};
  // The boot's own clock may have been set back with the whole machine, from a snapshot.
  const bool same_boot = boot != BootId{} && boot == kept->boot && since_boot >= kept->since_boot;
  ClockStart out{kept->time, kept->ahead, kept->doubted};
  if (same_boot) {
    out.time += since_boot - kept->since_boot;
  } else {
    // The last batches may have been written so much later, and their leases must have begun.
    out.time += ClockMemory::lag_max;
    out.doubted = true;
  }
  if (trust.accept) {
    out.time = std::max(out.time, wall);
    out.ahead = out.time - wall;
    out.doubted = false;
  } else if (out.doubted) {
    if (const auto time = believed(wall, out.ahead, out.time, trust)) {
      out.time = *time;
      out.doubted = false;
    }
  }
  return out;
}

StoreClock::StoreClock(TimeSources sources) : sources_(std::move(sources)) {
  const Nanos since_boot = sources_.since_boot();
  draw(since_boot, sources_.wall().time_since_epoch(), Nanos(0));
}

Nanos StoreClock::at(Nanos since_boot) const {
  for (;;) {
    const std::uint64_t number = line_.load(std::memory_order_acquire);
    const Line& line = lines_[number % lines_.size()];
    const Nanos begun = line.since_boot.load(std::memory_order_acquire);
    const Nanos time = line.time.load(std::memory_order_acquire);
    const Nanos apart = line.apart.load(std::memory_order_acquire);
    // Drawn anew meanwhile: only where this thread stood still for a second.
    if (line_.load(std::memory_order_relaxed) != number) continue;
    // A thread that read its clock just before the line was drawn is on it already.
    const Nanos passed = std::max(Nanos(0), since_boot - begun);
    return time + passed + std::clamp(apart, -passed / slew_parts, passed / slew_parts);
  }
}

void StoreClock::draw(Nanos since_boot, Nanos time, Nanos apart) {
  const std::uint64_t number = line_.load(std::memory_order_relaxed) + 1;
  Line& line = lines_[number % lines_.size()];
  line.since_boot.store(since_boot, std::memory_order_release);
  line.time.store(time, std::memory_order_release);
  line.apart.store(apart, std::memory_order_release);
  line_.store(number, std::memory_order_release);
}

WallTime StoreClock::now() const {
  return floor_to_wall(at(sources_.since_boot()));
}

std::string StoreClock::start(const std::optional<ClockMemory>& kept, const ClockTrust& trust) {
  const std::lock_guard lock(mutex_);
  const Nanos since_boot = sources_.since_boot();
  const WallTime wall = sources_.wall();
  const ClockStart start =
      start_clock(kept, trust, sources_.boot, std::chrono::floor<Millis>(since_boot), wall);
  trust_ = trust;
  doubted_ = start.doubted;
  ahead_ = start.ahead;
  wall_ahead_ = wall - start.time;
  draw(since_boot, start.time.time_since_epoch(), Nanos(0));
  may_purge_.store(!doubted_, std::memory_order_relaxed);
  return say_start(kept, start, trust, wall);
}

std::string StoreClock::tick() {
  const std::lock_guard lock(mutex_);
  const WallTime wall = sources_.wall();
  const Nanos since_boot = sources_.since_boot();
  if (doubted_) return end_doubt(wall, since_boot, floor_to_wall(at(since_boot)));
  return follow(wall, since_boot);
}

/// As a start would have begun with this wall clock.
std::string StoreClock::end_doubt(WallTime wall, Nanos since_boot, WallTime now) {
  wall_ahead_ = wall - now;
  const auto time = believed(wall, ahead_, now, trust_);
  if (!time) return {};
  wall_ahead_ = wall - *time;
  doubted_ = false;
  if (*time > now) draw(since_boot, time->time_since_epoch(), Nanos(0));
  may_purge_.store(true, std::memory_order_relaxed);
  return "clock: the wall clock can be believed again; the store's time goes from " + text(now) +
         " to " + text(*time) + ", and what has expired is purged again";
}

std::string StoreClock::follow(WallTime wall, Nanos since_boot) {
  const Nanos now = at(since_boot);
  const Nanos apart = wall.time_since_epoch() - now;
  draw(since_boot, now, apart);
  const Millis wall_ahead = std::chrono::floor<Millis>(apart);
  const Millis step = wall_ahead - std::exchange(wall_ahead_, wall_ahead);
  if (std::chrono::abs(step) <= clocks_apart_max) return {};
  return "clock: the wall clock was set " + text(step) + (step > Millis(0) ? " on" : " back") +
         "; the store's time follows slowly";
}

std::optional<ClockMemory> StoreClock::memory() const {
  const std::lock_guard lock(mutex_);
  const WallTime wall = sources_.wall();
  const Nanos since_boot = sources_.since_boot();
  const WallTime time = floor_to_wall(at(since_boot));
  return ClockMemory{time, std::chrono::floor<Millis>(since_boot), sources_.boot,
                     doubted_ ? ahead_ : time - wall, doubted_};
}

ClockStanding StoreClock::standing() const {
  const std::lock_guard lock(mutex_);
  return {sources_.wall() - now(), doubted_};
}

}  // namespace onceproxy::store
