#include "proxy/telemetry/access_log.hpp"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "proxy/telemetry/access_format_line.hpp"
#include "proxy/telemetry/access_line.hpp"
#include "proxy/telemetry/colour.hpp"
#include "proxy/telemetry/json_text.hpp"
#include "proxy/telemetry/output.hpp"

namespace onceproxy::telemetry {
namespace {

using Clock = std::chrono::steady_clock;

/// A worker hands over this much at the latest.
constexpr std::size_t batch_bytes = 32 * 1024;
/// Room for one more line behind it, so that a buffer seldom grows.
constexpr std::size_t buffer_bytes = batch_bytes + 16 * 1024;
constexpr std::size_t spare_buffers_max = 8;
/// How often a blocked write looks whether it is to stop.
constexpr std::chrono::milliseconds write_wait{50};
/// The destructor's second, less what the thread may take to notice.
constexpr std::chrono::milliseconds drain_time{900};
constexpr std::chrono::milliseconds stop_time{1000};

LogLevel level_of(gate::Decision decision) {
  switch (decision) {
    case gate::Decision::upstream_error:
    case gate::Decision::store_error:
    case gate::Decision::busy:
    case gate::Decision::bad_request:
      return LogLevel::warn;
    default:
      return LogLevel::info;
  }
}

struct Batch {
  std::string text;
  std::uint64_t lines = 0;
};

/// Text has colours if it goes to a terminal.
AccessLog::Options fitting(AccessLog::Options options) {
  options.format = format_for(options.format, options.descriptor);
  return options;
}

std::string new_buffer() {
  std::string buffer;
  buffer.reserve(buffer_bytes);
  return buffer;
}

}  // namespace

struct AccessLog::State {
  State(Options chosen, std::function<void(std::uint64_t)> hear_dropped)
      : options(chosen),
        level(chosen.level),
        format(chosen.format),
        dropped(std::move(hear_dropped)) {}

  /// Takes the buffer's lines, or drops them; leaves an empty buffer.
  void hand_over(std::string& buffer, std::uint64_t lines);
  /// The writer thread.
  void run();
  /// Stops the thread, or leaves it behind if a write does not come back.
  void stop();

  const Options options;
  std::atomic<LogLevel> level;
  std::atomic<LogFormat> format;
  std::thread thread;

 private:
  /// Under the lock.
  void lose(std::uint64_t lines);
  bool take(Batch& batch, std::uint64_t& missing);
  void write(Output& output, Batch& batch, std::uint64_t missing);
  void give_back(std::string&& buffer);
  bool out_of_time();

  std::mutex mutex;
  std::condition_variable changed;
  std::condition_variable ended;
  std::deque<Batch> queue;
  /// Of the queue and of the batch being written.
  std::size_t queued_bytes = 0;
  std::uint64_t writing_lines = 0;
  /// Lost, and not yet said in a line.
  std::uint64_t unsaid = 0;
  std::vector<std::string> spare;
  std::function<void(std::uint64_t)> dropped;
  bool stopping = false;
  bool done = false;
  Clock::time_point deadline;

  // The writer thread's own.
  /// The last write broke off inside a line.
  bool torn = false;
  Timestamp timestamp;
};

void AccessLog::State::hand_over(std::string& buffer, std::uint64_t lines) {
  {
    const std::lock_guard lock(mutex);
    if (stopping || queued_bytes + buffer.size() > options.queue_bytes_max) {
      lose(lines);
      buffer.clear();
      return;
    }
    queued_bytes += buffer.size();
    queue.push_back({std::move(buffer), lines});
    if (spare.empty()) {
      buffer = std::string();
    } else {
      buffer = std::move(spare.back());
      spare.pop_back();
    }
  }
  changed.notify_one();
  if (buffer.capacity() < buffer_bytes) buffer = new_buffer();
}

void AccessLog::State::lose(std::uint64_t lines) {
  if (lines == 0) return;
  unsaid += lines;
  if (dropped) dropped(lines);
}

bool AccessLog::State::out_of_time() {
  const std::lock_guard lock(mutex);
  return stopping && Clock::now() >= deadline;
}

bool AccessLog::State::take(Batch& batch, std::uint64_t& missing) {
  std::unique_lock lock(mutex);
  changed.wait(lock, [this] { return stopping || !queue.empty(); });
  if (queue.empty() || (stopping && Clock::now() >= deadline)) return false;
  batch = std::move(queue.front());
  queue.pop_front();
  writing_lines = batch.lines;
  missing = unsaid;
  return true;
}

void AccessLog::State::write(Output& output, Batch& batch, std::uint64_t missing) {
  const std::size_t batch_size = batch.text.size();
  std::string prefix;
  if (torn) prefix = "\n";
  if (missing > 0)
    append_dropped_line(prefix, format.load(std::memory_order_relaxed),
                        timestamp.text(std::chrono::system_clock::now()), missing);
  if (!prefix.empty()) batch.text.insert(0, prefix);

  std::string_view rest = batch.text;
  while (!rest.empty()) {
    const Output::Result result = output.write(rest, write_wait);
    if (result == Output::Result::failed) break;
    if (result == Output::Result::waiting && out_of_time()) break;
  }
  const std::size_t written = batch.text.size() - rest.size();
  if (written > 0) torn = batch.text[written - 1] != '\n';

  const auto lost = static_cast<std::uint64_t>(std::count(rest.begin(), rest.end(), '\n'));
  const std::lock_guard lock(mutex);
  queued_bytes -= batch_size;
  // The count is reported even if the following lines are lost too.
  if (written >= prefix.size()) unsaid -= missing;
  if (!done) lose(std::min(lost, batch.lines));
  writing_lines = 0;
  give_back(std::move(batch.text));
}

void AccessLog::State::give_back(std::string&& buffer) {
  if (spare.size() >= spare_buffers_max || buffer.capacity() > 2 * buffer_bytes) return;
  buffer.clear();
  spare.push_back(std::move(buffer));
}

void AccessLog::State::run() {
  Output output(options.descriptor);
  Batch batch;
  std::uint64_t missing = 0;
  while (take(batch, missing)) write(output, batch, missing);
  const std::lock_guard lock(mutex);
  done = true;
  ended.notify_all();
}

void AccessLog::State::stop() {
  std::unique_lock lock(mutex);
  stopping = true;
  deadline = Clock::now() + drain_time;
  changed.notify_all();
  const bool in_time = ended.wait_for(lock, stop_time, [this] { return done; });
  done = true;
  std::uint64_t left = writing_lines;
  for (const Batch& batch : queue) left += batch.lines;
  queue.clear();
  lose(left);
  dropped = nullptr;
  lock.unlock();
  // A write that blocks although the descriptor polled as writable (another process filled it in
  // between) may never return. The thread keeps this object alive and touches nothing else.
  in_time ? thread.join() : thread.detach();
}

AccessLog::AccessLog(Options options, std::function<void(std::uint64_t)> dropped)
    : state_(std::make_shared<State>(fitting(options), std::move(dropped))) {
  // Signals are for the main thread; a SIGPIPE that is not ignored stays pending on this one.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  state_->thread = std::thread([state = state_] { state->run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(state_->thread.native_handle(), "access-log");
}

AccessLog::~AccessLog() {
  state_->stop();
}

void AccessLog::set_level(LogLevel level) {
  state_->level.store(level, std::memory_order_relaxed);
}

void AccessLog::set_format(LogFormat format) {
  state_->format.store(format_for(format, state_->options.descriptor), std::memory_order_relaxed);
}

struct AccessLog::Writer::State {
  std::shared_ptr<AccessLog::State> log;
  std::string buffer = new_buffer();
  std::uint64_t lines = 0;
  Timestamp timestamp;
};

std::unique_ptr<AccessLog::Writer> AccessLog::add_writer() {
  auto state = std::make_unique<Writer::State>();
  state->log = state_;
  return std::unique_ptr<Writer>(new Writer(std::move(state)));
}

AccessLog::Writer::Writer(std::unique_ptr<State> state) : state_(std::move(state)) {}

AccessLog::Writer::~Writer() {
  flush();
}

void AccessLog::Writer::write(const AccessRecord& record) {
  State& state = *state_;
  if (level_of(record.decision) < state.log->level.load(std::memory_order_relaxed)) return;
  append_access_line(state.buffer, state.log->format.load(std::memory_order_relaxed),
                     state.timestamp.text(std::chrono::system_clock::now()), record);
  ++state.lines;
  if (state.buffer.size() >= batch_bytes) flush();
}

void AccessLog::Writer::write(const AccessRecord& record, const AccessFormat& format,
                              const AccessDetails& details) {
  State& state = *state_;
  if (level_of(record.decision) < state.log->level.load(std::memory_order_relaxed)) return;
  append_formatted_line(state.buffer, format, record, details, std::chrono::system_clock::now());
  ++state.lines;
  if (state.buffer.size() >= batch_bytes) flush();
}

void AccessLog::Writer::flush() {
  if (state_->lines == 0) return;
  state_->log->hand_over(state_->buffer, state_->lines);
  state_->lines = 0;
}

}  // namespace onceproxy::telemetry
