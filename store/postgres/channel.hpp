// Channel: the connections of one event loop, and the statements that are sent over them. A
// statement is sent on the connection with the fewest unanswered statements; if none is ready it
// waits for one. Connections are opened when they are needed, up to the channel's share.
//
// Operations that may share a statement are gathered until the loop has handled its events. While
// the database does not answer in time, each is sent by itself, so that one which waits for a
// standby does not delay another that need not. If there is not room for all, what was gathered and
// the statements that wait take turns, whenever an answer makes room.
//
// Not thread-safe: to be used on the loop's thread, unless a member says otherwise.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "store/postgres/circuit.hpp"
#include "store/postgres/connection.hpp"
#include "store/postgres/connector.hpp"
#include "store/postgres/counters.hpp"
#include "store/postgres/gathering.hpp"
#include "store/postgres/options.hpp"
#include "store/postgres/tuning.hpp"

namespace onceproxy::store {

class Channel final : public Connection::Owner, private Gathering::Sender {
 public:
  /// All of it outlives the channel.
  struct Parts {
    const PostgresOptions& options;
    const PostgresTuning& tuning;
    Connector& connector;
    Counters& counters;
    Circuit& circuit;
    /// A connection broke, or an answer did not come in time. `failed`: a statement was under way,
    /// so the circuit counts it. Called from any thread.
    std::function<void(std::string_view kind, const std::string& detail, bool failed)> trouble;
    /// A notification of another instance arrived.
    std::function<void(std::string_view text)> notified;
  };
  /// `listens`: the first connection receives the notifications of other instances.
  Channel(const Parts& parts, Loop& loop, std::size_t connections_max, bool listens);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  Loop& loop() { return loop_; }

  /// Takes the query. Its replied() is then called once, never within this call. False: too many
  /// statements wait, or the channel is closed; nothing is called.
  bool send(Query& query);
  /// Sends what was gathered. Called when the loop has handled its events, if it submits().
  void submit();
  /// Closes all connections. Queries under way get a reply that says `lost`. Idempotent.
  void close();

  /// Whether no statement is under way or waits.
  bool idle() const;
  /// Whether a statement could be sent at this moment.
  bool ready() const;
  bool hears() const { return hears_; }
  /// How many sessions have received notifications so far. Between two of them some may be lost.
  std::size_t listeners() const { return listeners_; }

 private:
  void broken(Connection& connection, const std::string& why) override;
  void leave(const std::vector<Connection*>& connections, const std::string& why);
  void leave_earlier_server();
  bool looks_elsewhere();
  void answered() override { pump(); }
  void notified(std::string_view text) override { parts_.notified(text); }

  void adopt(pq::ConnectionPtr session, const Server& server, bool listen,
             const std::vector<int>& idle);
  void leave_idle(const Server& server, const std::vector<int>& idle);
  Connection* choose() const;
  bool has_room() const override { return choose() != nullptr; }
  bool send_now(Query& query) override;
  void undone(const Reply& reply) override;
  void send_alone(Query& query) override;
  bool send_or_wait(Query& query);
  void gather(Query& query);
  void pump() override;
  bool send_next();
  bool send_waiting();
  void grow();
  void want_one();
  void tick();
  void tell_late();
  void wait_for_tick();
  void bury();
  void lose(QueryList& queries);

  const Parts parts_;
  Loop& loop_;
  const std::size_t connections_max_;
  const bool listens_;
  std::vector<std::unique_ptr<Connection>> connections_;
  /// Broken connections, until none of their functions is running any more.
  std::vector<std::unique_ptr<Connection>> broken_;
  const Connection* listener_ = nullptr;
  bool hears_ = false;
  std::size_t listeners_ = 0;
  std::size_t wanted_ = 0;
  QueryList waiting_;
  std::size_t waiting_count_ = 0;
  Gathering gathering_;
  /// Whether what was gathered was sent last, or else a statement that waited.
  bool gathered_last_ = false;
  /// submit() will be called.
  bool submits_ = false;
  std::unique_ptr<Timer> ticker_;
  Query::SteadyClock::time_point next_look_{};
  bool closed_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace onceproxy::store
