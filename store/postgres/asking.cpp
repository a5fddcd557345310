#include "store/postgres/asking.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
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

std::string why_not(const Reply& reply) {
  return reply.error.empty() ? "the database does not answer" : reply.error;
}

}  // namespace onceproxy::store
