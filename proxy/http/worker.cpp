#include "proxy/http/worker.hpp"

#include <boost/asio/buffer.hpp>
#include <utility>

#include "proxy/http/head_writer.hpp"
#include "proxy/telemetry/log.hpp"
#include "store/random.hpp"

namespace onceproxy::http {

namespace {

using std::chrono::steady_clock;

/// How long clients may be sent that the time is over, before their sockets are closed.
constexpr std::chrono::milliseconds polite_time{500};

}  // namespace

Worker::Worker(Shared& shared, std::shared_ptr<const Setup> setup, const MakeSidePort& side)
    : shared_(shared),
      setup_(std::move(setup)),
      loop_([this] { tick(); }, [this](bool quiet) { return calls_.end_round(quiet); }),
      calls_(loop_, [&shared](store::Loop& loop) { shared.store.submit(loop); }),
      metrics_(shared.metrics.add_worker()),
      reports_(metrics_, shared.access_log.add_writer(),
               shared.tracer != nullptr ? shared.tracer->add_recorder() : nullptr, shared.capture),
      gate_(shared.store, calls_, shared.clock, metrics_, shared.acknowledger),
      upstream_(loop_, calls_, setup_, shared.upstream_address, shared.upstream_slots, shared.turns,
                shared.waiting_bytes, metrics_, shared.metrics.tls()),
      bodies_(shared.bodies, *this, metrics_, loop_),
      dispatcher_({setup_, gate_, upstream_, pipes_, reports_, metrics_, date_, bodies_,
                   BufferBudget::Account(shared.answers, *this, metrics_, loop_)}),
      handshakes_(setup_, shared.workers),
      connection_parts_{
          loop_, setup_, dispatcher_, handshakes_, metrics_, shared.metrics.tls(),
      } {
  if (!side) return;
  side_port_ = side({loop_, calls_, setup_, gate_, upstream_, reports_, dispatcher_.near_misses(),
                     metrics_, date_, bodies_});
}

Worker::~Worker() = default;

void Worker::listen(io::Acceptor acceptor, std::shared_ptr<const tls::ServerPort> tls) {
  io::Listener::Owner& owner = *this;
  listeners_.push_back(
      std::make_unique<io::Listener>(owner, loop_, std::move(acceptor), std::move(tls)));
}

void Worker::run() {
  for (const auto& listener : listeners_) listener->start();
  if (side_port_) side_port_->start();
  loop_.run();
  flush();
  // The store gives up what it kept for this loop, whose thread ends.
  shared_.store.leave(calls_);
}

/// Hands over what this thread has collected about requests.
void Worker::flush() {
  reports_.flush();
  gate_.hand_over_audit();
}

void Worker::tick() {
  ticked_.store(steady_clock::now(), std::memory_order_relaxed);
  if (aborting_) end_all();
  stop_when_drained();
  // A name may resolve long after the reload that brought it.
  upstream_.trim();
  pipes_.trim();
  date_.update();
  flush();
}

/// Whatever is pending ends as timed out, so that clients get an answer; each tick catches what
/// went on meanwhile. What goes on all the same loses its sockets, and every further wait on them
/// fails.
void Worker::end_all() {
  upstream_.stop_abandoned();
  loop_.deadlines().expire_all();
  if (loop_.now() - aborting_since_ < polite_time) return;
  upstream_.close_all();
  for (const auto& connection : connections_) connection->close();
  if (side_port_) side_port_->close();
}

void Worker::shares_shed() {
  if (looks_at_shares_.exchange(true)) return;
  loop_.post([this] {
    looks_at_shares_ = false;
    shared_.bodies.cancel_shed(*this);
    shared_.answers.cancel_shed(*this);
  });
}

void Worker::drain() {
  loop_.post([this] {
    if (draining_) return;
    draining_ = true;
    for (const auto& listener : listeners_) listener->stop();
    upstream_.drain();
    for (const auto& connection : connections_) connection->drain();
    if (side_port_) side_port_->drain();
    stop_when_drained();
  });
}

void Worker::abort() {
  loop_.post([this] {
    if (!aborting_) aborting_since_ = loop_.now();
    aborting_ = true;
  });
}

void Worker::reclaim_upstream() {
  // One is enough, and a worker that has ended runs none.
  if (reclaiming_.exchange(true)) return;
  loop_.post([this] {
    reclaiming_ = false;
    upstream_.reclaim();
  });
}

void Worker::adopt(std::shared_ptr<const Setup> setup, std::function<void()> adopted) {
  loop_.post([this, setup = std::move(setup), adopted = std::move(adopted)]() mutable {
    setup_ = std::move(setup);
    upstream_.trim();
    adopted();
  });
}

void Worker::accepted(io::Socket socket, std::string client, std::uint16_t port,
                      const tls::ServerPort* tls) {
  if (!shared_.client_slots.try_take()) {
    refuse_overload(std::move(socket), tls != nullptr);
    return;
  }
  auto connection = std::make_unique<ClientConnection>(
      connection_parts_, std::move(socket), std::move(client), Slots::Taken(&shared_.client_slots),
      tls != nullptr ? tls->context() : nullptr);
  ClientConnection& started = *connection;
  started.came_from(port);
  connection->index = connections_.size();
  connections_.push_back(std::move(connection));
  io::start(serve(started));
}

void Worker::not_accepted(const io::ErrorCode& error) {
  metrics_.accept_error();
  telemetry::log(telemetry::LogLevel::error, "cannot accept connections",
                 {{"error", error.message()}});
}

/// The root of a connection's life. What a request's own code did not foresee ends that connection
/// and nothing else.
Task<void> Worker::serve(ClientConnection& connection) {
  try {
    co_await connection.serve();
  } catch (const std::exception& error) {
    metrics_.connection_defect(telemetry::unforeseen_exception);
    telemetry::log(telemetry::LogLevel::error, "connection failed", {{"error", error.what()}});
  }
  forget(connection);
}

/// Over the limit of connections: one answer, as far as the socket takes it at once, and out.
void Worker::refuse_overload(io::Socket socket, bool secure) {
  std::string out;
  const std::string request_id = store::random_uuid();
  const ClientSide side{1, false, false, date_.text(), request_id};
  write_answer(gate::busy("Too many connections."), side, gate::Decision::busy, out);
  io::ErrorCode ignored;
  socket.non_blocking(true, ignored);
  // Before a handshake, an answer would be read as a broken one.
  if (!secure) socket.write_some(io::asio::buffer(out), ignored);
  socket.close(ignored);
  telemetry::AccessRecord record;
  record.request_id = request_id;
  record.decision = gate::Decision::busy;
  record.status = 503;
  record.error = "Too many connections.";
  reports_.turned_away(record, *setup_);
}

void Worker::forget(ClientConnection& connection) {
  connection.close();
  // Its last operation may still be on the stack: it goes when the loop is back.
  loop_.post([this, &connection] {
    const std::size_t index = connection.index;
    connections_[index].swap(connections_.back());
    connections_[index]->index = index;
    connections_.pop_back();
    stop_when_drained();
  });
}

void Worker::stop_when_drained() {
  if (!draining_ || !connections_.empty() || (side_port_ && !side_port_->idle())) return;
  upstream_.close_idle();
  // No request is left that could take their turns. They end a little later; the next tick looks
  // again.
  upstream_.stop_abandoned();
  if (upstream_.abandoned() > 0) return;
  loop_.stop();
}

}  // namespace onceproxy::http
