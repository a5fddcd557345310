#include "store/postgres/asking.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "store/postgres/poll_loop.hpp"

namespace onceproxy::store {
namespace {

struct Answered {
  std::mutex mutex;
  std::condition_variable changed;
  std::optional<Reply> reply;
};

Reply lost(std::string error) {
  Reply reply;
  reply.lost = true;
  reply.error = std::move(error);
  return reply;
}

}  // namespace

Reply ask(const Work& work, Channel& house, Statement statement, OneQuery::Bind bind) {
  if (work.closing.load()) return lost("the store is closing");
  if (work.circuit.open()) return lost("the database does not answer");
  const auto answered = std::make_shared<Answered>();
  const auto timeout = work.options.operation_timeout;
  post(house.loop(), [&house, statement, bind = std::move(bind), answered, timeout] {
    OneQuery::send(house, statement, timeout, bind, [answered](Reply reply) {
      const std::lock_guard lock(answered->mutex);
      answered->reply = std::move(reply);
      answered->changed.notify_all();
    });
  });
  std::unique_lock lock(answered->mutex);
  // A little longer than the operation's own time, so that it ends by itself.
  const bool there = answered->changed.wait_for(lock, timeout + std::chrono::milliseconds(500),
                                                [&] { return answered->reply.has_value(); });
  if (there) return std::move(*answered->reply);
  return lost("the database did not answer in time");
}

bool counts(const Work& work, Channel& house, const Reply& reply, BootClock::time_point sent) {
  if (!work.quorum()) return true;
  if (!reply.unconfirmed && BootClock::now() - sent <= work.tuning.commit_slow) return true;
  constexpr std::chrono::milliseconds pause{10};
  const auto end = BootClock::now() + work.tuning.confirm_max;
  std::uint64_t position = 0;
  do {
    const Reply look = ask(work, house, Statement::confirmed, nullptr);
    if (!look.good() || look.rows() != 1 || look.epoch != reply.epoch) return false;
    const pq::Row row = look.row();
    if (position == 0) position = static_cast<std::uint64_t>(row.number(1));
    if (!row.null(0) && static_cast<std::uint64_t>(row.number(0)) >= position) return true;
    std::this_thread::sleep_for(pause);
  } while (BootClock::now() < end);
  return false;
}

std::string why_not(const Reply& reply) {
  return reply.error.empty() ? "the database does not answer" : reply.error;
}

}  // namespace onceproxy::store
