#include "store/postgres/connection.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "store/postgres/failure.hpp"

namespace onceproxy::store {
namespace {

/// How much the two clocks may differ, because they are read one after the other and in whole
/// milliseconds.
constexpr std::chrono::milliseconds clock_tolerance{10};

/// The first columns of the answers that contain the server's time.
enum Column { o_code, o_now };

std::int64_t since_epoch(Query::SteadyClock::time_point time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

}  // namespace

void retry_if_in_time(const Query& query, Reply& reply) {
  if (!reply.good() || reply.rows() != 1 || reply.row().number(o_code) != code::too_late) return;
  if (query.deadline <= Query::SteadyClock::now() + clock_tolerance) return;
  reply.result.reset();
  reply.sqlstate = "40001";
  reply.error = "the clock of the database's server was set; the statement is sent again";
}

Connection::Connection(Loop& loop, pq::ConnectionPtr session, const Server& server, Owner& owner)
    : loop_(loop), session_(std::move(session)), server_(server), owner_(owner) {
  PQsetNoticeReceiver(session_.get(), hear_notice, this);
  watch_ = loop_.watch(PQsocket(session_.get()), [this] { ready(); });
}

Connection::~Connection() {
  *alive_ = false;
  watch_.reset();
  queries_.clear();
}

/// The server has committed, but its wait for a standby was cancelled ("canceling wait for
/// synchronous replication"; class 01000 in any language).
void Connection::hear_notice(void* self, const PGresult* notice) {
  const char* const state = PQresultErrorField(notice, PG_DIAG_SQLSTATE);
  if (state != nullptr && std::strcmp(state, "01000") == 0) {
    static_cast<Connection*>(self)->reply_.unconfirmed = true;
  }
}

bool Connection::send(Query& query) {
  if (broken_) return false;
  params_.clear();
  query.sent = Query::SteadyClock::now();
  query.bind(params_, server_);
  if (PQsendQueryPrepared(session_.get(), name(query.statement), params_.count(), params_.values(),
                          params_.lengths(), params_.formats(), 1) != 1 ||
      PQpipelineSync(session_.get()) != 1) {
    fail(pq::trimmed(PQerrorMessage(session_.get())));
    return false;
  }
  queries_.push_back(query);
  return true;
}

void Connection::flush() {
  if (broken_) return;
  const int left = PQflush(session_.get());
  if (left < 0) {
    fail(pq::trimmed(PQerrorMessage(session_.get())));
    return;
  }
  const bool written_before = std::exchange(writing_, left == 1);
  if (writing_ != written_before) watch_->want_write(writing_);
}

void Connection::ready() {
  if (broken_) return;
  const std::shared_ptr<bool> alive = alive_;
  if (writing_) flush();
  if (!*alive || broken_) return;
  if (PQconsumeInput(session_.get()) != 1) {
    fail(pq::trimmed(PQerrorMessage(session_.get())));
    return;
  }
  read_results();
  if (!*alive || broken_) return;
  owner_.answered();
  if (broken_) return;
  while (PGnotify* const notification = PQnotifies(session_.get())) {
    const std::string text = notification->extra;
    PQfreemem(notification);
    owner_.notified(text);
    if (!*alive) return;
  }
}

void Connection::read_results() {
  const std::shared_ptr<bool> alive = alive_;
  int ends = 0;
  while (*alive && !broken_ && !queries_.empty() && PQisBusy(session_.get()) == 0) {
    pq::ResultPtr result(PQgetResult(session_.get()));
    if (result != nullptr) {
      ends = 0;
      take(std::move(result));
      continue;
    }
    // A null result separates the results of a statement from the end of its transaction.
    if (PQstatus(session_.get()) == CONNECTION_BAD || ++ends > 2) {
      fail("the session is out of step: " + pq::trimmed(PQerrorMessage(session_.get())));
    }
  }
  // The server reports why it ends the session; no statement waits for an answer.
  if (*alive && !broken_ && queries_.empty() && PQstatus(session_.get()) == CONNECTION_BAD) {
    fail(pq::trimmed(PQerrorMessage(session_.get())));
  }
}

void Connection::take(pq::ResultPtr result) {
  switch (PQresultStatus(result.get())) {
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
      reply_.result = std::move(result);
      return;
    case PGRES_PIPELINE_SYNC:
      finish();
      return;
    case PGRES_PIPELINE_ABORTED:
      if (reply_.sqlstate.empty()) reply_.sqlstate = "25P02";
      return;
    default:
      // This also covers a commit that fails after good rows.
      if (reply_.sqlstate.empty()) {
        reply_.sqlstate = pq::sqlstate(result.get());
        reply_.error = pq::trimmed(PQresultErrorMessage(result.get()));
      }
      if (PQstatus(session_.get()) == CONNECTION_BAD) fail(reply_.error);
  }
}

/// If an answer contains the server's time, that time was read between the sending and now. With it
/// the offset is corrected, so the server's clock may be set and this machine may be suspended.
void Connection::follow_clock(const Query& query, Reply& reply) {
  if (!says_time(query.statement) || !reply.good() || reply.rows() == 0) return;
  const pq::Row row = reply.row();
  if (row.null(o_now)) return;
  const std::int64_t there = row.number(o_now);
  server_.clock_offset =
      std::clamp(server_.clock_offset, there - since_epoch(Query::SteadyClock::now()) - 1,
                 there - since_epoch(query.sent) + 1);
  retry_if_in_time(query, reply);
}

/// The transaction has ended, so its answer counts.
void Connection::finish() {
  Query& query = queries_.front();
  queries_.pop_front();
  Reply reply = std::exchange(reply_, Reply{});
  reply.epoch = server_.epoch;
  follow_clock(query, reply);
  if (!reply.sqlstate.empty() && failure_of(reply.sqlstate).leave) {
    // Later statements on this session would fail in the same way, also if this one is sent again.
    fail(reply.error);
  }
  query.replied(std::move(reply));
}

void Connection::fail(const std::string& why) {
  if (std::exchange(broken_, true)) return;
  watch_.reset();
  owner_.broken(*this, why);
}

bool Connection::tell_late(Query::SteadyClock::time_point now) {
  bool any = false;
  for (Query& query : queries_) any = query.tell_late(now) || any;
  return any;
}

Query::SteadyClock::time_point Connection::silent_since(Query::SteadyClock::time_point now) const {
  return queries_.empty() ? now : queries_.front().sent;
}

QueryList Connection::take_all() {
  QueryList out;
  out.swap(queries_);
  return out;
}

}  // namespace onceproxy::store
