#include "store/postgres/channel.hpp"

#include <algorithm>
#include <utility>

#include "store/postgres/failure.hpp"
#include "store/postgres/poll_loop.hpp"

namespace onceproxy::store {

namespace {
constexpr std::chrono::milliseconds tick_interval{100};
}

Channel::Channel(const Parts& parts, Loop& loop, std::size_t connections_max, bool listens)
    : parts_(parts),
      loop_(loop),
      connections_max_(std::max<std::size_t>(connections_max, 1)),
      listens_(listens),
      gathering_(*this, parts_.tuning) {
  want_one();
  wait_for_tick();
}

Channel::~Channel() {
  close();
}

void Channel::want_one() {
  const bool listen = listens_ && listener_ == nullptr && wanted_ == 0;
  ++wanted_;
  std::vector<int> silent;
  for (const auto& connection : connections_) {
    if (connection->stuck()) silent.push_back(connection->process());
  }
  parts_.connector.want(
      this, listen, std::move(silent),
      [this, alive = alive_, &loop = loop_, listen](pq::ConnectionPtr session, const Server& server,
                                                    const std::vector<int>& idle) {
        // A function must be one that can be copied.
        const auto handed = std::make_shared<pq::ConnectionPtr>(std::move(session));
        post(loop, [this, alive, handed, server, listen, idle] {
          if (*alive) adopt(std::move(*handed), server, listen, idle);
        });
      });
}

void Channel::adopt(pq::ConnectionPtr session, const Server& server, bool listen,
                    const std::vector<int>& idle) {
  --wanted_;
  leave_earlier_server();
  leave_idle(server, idle);
  // It was made to find out about the server, which is still the same one.
  if (!listen && connections_.size() >= connections_max_) return;
  connections_.push_back(std::make_unique<Connection>(loop_, std::move(session), server, *this));
  Counters::add(parts_.counters.connections);
  if (listen) {
    listener_ = connections_.back().get();
    hears_ = true;
    ++listeners_;
  }
  pump();
  submit();
}

/// The connection with the fewest unanswered statements; null if none has room.
Connection* Channel::choose() const {
  Connection* best = nullptr;
  for (const auto& connection : connections_) {
    if (!connection->usable() || connection->stuck()) continue;
    if (connection->in_flight() >= parts_.tuning.pipeline_max) continue;
    if (best == nullptr || connection->in_flight() < best->in_flight()) best = connection.get();
    if (best->in_flight() == 0) break;
  }
  return best;
}

bool Channel::send_now(Query& query) {
  while (Connection* const connection = choose()) {
    if (!connection->send(query)) continue;  // it is broken now
    connection->flush();
    Counters::add(parts_.counters.round_trips);
    return true;
  }
  return false;
}

bool Channel::send(Query& query) {
  query.is_late = false;
  if (closed_) return false;
  if (!query.shares()) return send_or_wait(query);
  if (waiting_count_ + gathering_.size() >= parts_.options.queue_max) return false;
  gather(query);
  return true;
}

void Channel::gather(Query& query) {
  gathering_.add(query);
  // The answer to one of the statements under way makes room for it.
  if (parts_.circuit.steady() && !gathering_.may_send(query)) return;
  if (loop_.submits() || std::exchange(submits_, true)) return;
  post(loop_, [this, alive = alive_] {
    if (*alive) submit();
  });
}

void Channel::submit() {
  submits_ = false;
  if (gathering_.size() == 0) return;
  pump();
  grow();
}

/// No operation has failed yet, so only the retry is counted.
void Channel::undone(const Reply& reply) {
  const std::string_view kind = failure_of(reply.sqlstate).kind;
  parts_.counters.retry(kind);
  parts_.trouble(kind, "a statement of several operations: " + reply.error, false);
}

void Channel::send_alone(Query& query) {
  if (!closed_ && send_or_wait(query)) return;
  Reply reply;
  reply.lost = reply.unsent = true;
  reply.error = "too many operations wait for the database";
  query.replied(std::move(reply));
}

bool Channel::send_or_wait(Query& query) {
  if (waiting_.empty() && send_now(query)) {
    grow();
    return true;
  }
  if (waiting_count_ >= parts_.options.queue_max) return false;
  waiting_.push_back(query);
  ++waiting_count_;
  Counters::add(parts_.counters.queued);
  grow();
  return true;
}

/// Asks for one more connection if all of them are busy.
void Channel::grow() {
  const bool all_busy =
      std::all_of(connections_.begin(), connections_.end(),
                  [](const auto& connection) { return connection->in_flight() > 0; });
  if (all_busy && wanted_ == 0 && connections_.size() < connections_max_) want_one();
}

void Channel::pump() {
  while (send_next()) continue;
}

/// Takes turns, because one answer may make room for one statement alone.
bool Channel::send_next() {
  for (int i = 0; i < 2; ++i) {
    gathered_last_ = !gathered_last_;
    const bool sent =
        gathered_last_ ? gathering_.send_one(parts_.circuit.steady()) : send_waiting();
    if (sent) return true;
  }
  return false;
}

/// Sends the statement that has waited longest.
bool Channel::send_waiting() {
  if (waiting_.empty()) return false;
  Query& query = waiting_.front();
  waiting_.pop_front();
  if (!send_now(query)) {
    waiting_.push_front(query);
    return false;
  }
  --waiting_count_;
  parts_.counters.queued.fetch_sub(1, std::memory_order_relaxed);
  return true;
}

void Channel::broken(Connection& connection, const std::string& why) {
  const auto found = std::find_if(connections_.begin(), connections_.end(),
                                  [&](const auto& one) { return one.get() == &connection; });
  if (found == connections_.end()) return;
  parts_.counters.connections.fetch_sub(1, std::memory_order_relaxed);
  if (listener_ == &connection) {
    listener_ = nullptr;
    hears_ = false;
  }
  broken_.push_back(std::move(*found));
  connections_.erase(found);
  if (closed_) return;
  parts_.trouble(trouble::lost, why, connection.in_flight() > 0);
  if (wanted_ == 0) want_one();
  // Not destroyed here, because one of its functions or send() may be running.
  post(loop_, [this, alive = alive_] {
    if (*alive) bury();
  });
}

/// Answers the queries of a broken connection with `lost`, then forgets the connection.
void Channel::bury() {
  const auto gone = std::exchange(broken_, {});
  for (const auto& connection : gone) {
    QueryList lost = connection->take_all();
    lose(lost);
  }
}

void Channel::lose(QueryList& queries) {
  while (!queries.empty()) {
    Query& query = queries.front();
    queries.pop_front();
    Reply reply;
    reply.lost = true;
    reply.error = "the connection to the database broke";
    query.replied(std::move(reply));
  }
}

void Channel::wait_for_tick() {
  ticker_ = loop_.timer(tick_interval, [this, alive = alive_] {
    if (*alive) tick();
  });
}

void Channel::tick() {
  tell_late();
  leave_earlier_server();
  pump();
  submit();
  const bool deaf = listens_ && listener_ == nullptr;
  if (wanted_ == 0 && (connections_.empty() || deaf || looks_elsewhere())) want_one();
  wait_for_tick();
}

/// Whether it is time to make a session although there are some, because none of them answers, or
/// one has not answered for so long that it may lead nowhere.
bool Channel::looks_elsewhere() {
  const auto now = Query::SteadyClock::now();
  if (now < next_look_) return false;
  const bool any_ready = ready();
  const bool any_silent =
      std::any_of(connections_.begin(), connections_.end(), [&](const auto& connection) {
        return connection->stuck() &&
               now - connection->silent_since(now) > 2 * parts_.options.operation_timeout;
      });
  if (any_ready && !any_silent) return false;
  next_look_ = now + (any_ready ? 5 : 1) * parts_.tuning.look_elsewhere;
  return true;
}

/// Something between here and the server may acknowledge what it does not pass on. Then the kernel
/// notices nothing, but the server's process has nothing to do, or has ended.
void Channel::leave_idle(const Server& server, const std::vector<int>& idle) {
  std::vector<Connection*> lost;
  for (const auto& connection : connections_) {
    if (connection->stuck() && connection->epoch() == server.epoch &&
        std::find(idle.begin(), idle.end(), connection->process()) != idle.end()) {
      lost.push_back(connection.get());
    }
  }
  leave(lost, "the server has nothing to answer on a connection whose answers are missing");
}

/// A server that does not answer, while a newer session is one of another server or of a later run,
/// has lost its place. Its sessions would otherwise keep their statements for minutes.
void Channel::leave_earlier_server() {
  const std::int64_t current = parts_.connector.epoch();
  std::vector<Connection*> earlier;
  for (const auto& connection : connections_) {
    const bool silent = std::any_of(connections_.begin(), connections_.end(), [&](const auto& one) {
      return one->stuck() && one->epoch() == connection->epoch();
    });
    if (silent && connection->epoch() != current) earlier.push_back(connection.get());
  }
  leave(earlier, "another server, or a later run of it, has taken over");
}

void Channel::leave(const std::vector<Connection*>& connections, const std::string& why) {
  for (Connection* const connection : connections) broken(*connection, why);
}

void Channel::tell_late() {
  const auto now = Query::SteadyClock::now();
  QueryList over;
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    Query& query = *at;
    if (query.deadline > now) {
      ++at;
      continue;
    }
    at = waiting_.erase(at);
    --waiting_count_;
    parts_.counters.queued.fetch_sub(1, std::memory_order_relaxed);
    over.push_back(query);
  }
  QueryList gathered = gathering_.take_overdue(now);
  over.splice(over.end(), gathered);
  bool any = !over.empty();
  std::vector<Connection*> silent;
  for (const auto& connection : connections_) {
    any = connection->tell_late(now) || any;
    if (now - connection->silent_since(now) > parts_.tuning.silence_max) {
      silent.push_back(connection.get());
    }
  }
  if (any) parts_.trouble(trouble::timeout, "the database did not answer in time", true);
  // They were never sent.
  while (!over.empty()) {
    Query& query = over.front();
    over.pop_front();
    query.is_late = true;
    query.late();
    Reply reply;
    reply.sqlstate = "57014";
    reply.unsent = true;
    reply.error = "no connection to the database was free in time";
    query.replied(std::move(reply));
  }
  leave(silent, "the server is silent");
}

bool Channel::idle() const {
  return waiting_.empty() && gathering_.size() == 0 && broken_.empty() &&
         std::all_of(connections_.begin(), connections_.end(),
                     [](const auto& connection) { return connection->in_flight() == 0; });
}

bool Channel::ready() const {
  return std::any_of(connections_.begin(), connections_.end(), [](const auto& connection) {
    return connection->usable() && !connection->stuck();
  });
}

void Channel::close() {
  if (std::exchange(closed_, true)) return;
  *alive_ = false;
  parts_.connector.forget(this);
  ticker_.reset();
  QueryList lost;
  lost.swap(waiting_);
  QueryList gathered = gathering_.take_all();
  lost.splice(lost.end(), gathered);
  for (const auto& connection : connections_) {
    QueryList of_one = connection->take_all();
    lost.splice(lost.end(), of_one);
  }
  for (const auto& connection : broken_) {
    QueryList of_one = connection->take_all();
    lost.splice(lost.end(), of_one);
  }
  parts_.counters.connections.fetch_sub(connections_.size(), std::memory_order_relaxed);
  connections_.clear();
  broken_.clear();
  lose(lost);
}

}  // namespace onceproxy::store
