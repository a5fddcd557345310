// OneQuery: a query that consists of two functions, for its parameters and for its reply. It owns
// itself while it is under way. Not thread-safe: to be used on its channel's thread.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "store/postgres/channel.hpp"

namespace onceproxy::store {

class OneQuery final : public Query {
 public:
  using Bind = std::function<void(pq::Params&)>;
  using Done = std::function<void(Reply)>;

  /// The values that `bind` sets must live as long as that function. `done` may be empty. If the
  /// query cannot be sent, `done` gets a reply that says `lost`, within this call.
  static void send(Channel& channel, Statement statement, std::chrono::milliseconds timeout,
                   Bind bind, Done done = nullptr) {
    auto query =
        std::unique_ptr<OneQuery>(new OneQuery(statement, std::move(bind), std::move(done)));
    query->deadline = SteadyClock::now() + timeout;
    if (channel.send(*query)) {
      static_cast<void>(query.release());
      return;
    }
    Reply reply;
    reply.lost = true;
    reply.error = "too many operations wait for the database";
    if (query->done_) query->done_(std::move(reply));
  }

  void bind(pq::Params& params, const Server&) const override {
    if (bind_) bind_(params);
  }
  void replied(Reply reply) override {
    const std::unique_ptr<OneQuery> self(this);
    if (done_) done_(std::move(reply));
  }
  void late() override {}

 private:
  OneQuery(Statement what, Bind bind, Done done)
      : Query(what), bind_(std::move(bind)), done_(std::move(done)) {}

  const Bind bind_;
  const Done done_;
};

}  // namespace onceproxy::store
