#include "proxy/grpc/call.hpp"

#include <array>
#include <limits>
#include <utility>

#include "proxy/grpc/wire.hpp"

namespace onceproxy::grpc {

namespace {

/// Fields that gRPC itself uses; handlers do not get them.
bool is_reserved(std::string_view name) {
  return name.starts_with("grpc-") || name == "te" || name == "content-type";
}

}  // namespace

Call::Call(http2::Exchange& exchange, const Limits& limits,
           std::optional<std::chrono::milliseconds> timeout, telemetry::Http2Counters& counters)
    : exchange_(exchange),
      counters_(counters),
      arrivals_(limits.arrivals),
      reader_(limits.message_bytes_max) {
  if (!timeout) return;
  timer_.emplace(*this, *timeout, &Call::deadline_passed);
  deadline_ = timer_->due();
}

Call::~Call() {
  if (!finished_) counters_.call_ended(static_cast<std::size_t>(StatusCode::cancelled));
}

std::optional<std::string_view> Call::metadata(std::string_view name) const {
  if (is_reserved(name)) return std::nullopt;
  return http2::value_of(exchange_.request().fields, name);
}

// --- messages

io::Task<ServerStream::Read> Call::read(std::string& message) {
  message.clear();
  std::unique_ptr<Arriving> arriving;
  while (true) {
    const auto got = co_await exchange_.read();
    if (got == http2::Exchange::Read::gone) co_return drop(message);
    if (got == http2::Exchange::Read::end) {
      if (reader_.between_messages()) co_return Read::end;
      give_up(Gone::protocol, {StatusCode::internal, "the request ends within a message"});
      co_return drop(message);
    }
    std::string_view bytes = exchange_.body();
    const std::size_t before = bytes.size();
    const MessageReader::State state = reader_.take(bytes, message);
    const std::size_t taken = before - bytes.size();
    exchange_.consume(taken);
    if (state == MessageReader::State::whole) co_return Read::message;
    if (state != MessageReader::State::more) {
      refuse(state);
      co_return drop(message);
    }
    if (!keeps(arriving, taken, message.size())) {
      no_room();
      co_return drop(message);
    }
  }
}

/// Frees what has arrived of a message. It no longer counts, and its handler may take long to end.
ServerStream::Read Call::drop(std::string& message) {
  std::string().swap(message);
  return Read::gone;
}

/// The message is not complete yet. Returns false if it must be given up.
bool Call::keeps(std::unique_ptr<Arriving>& arriving, std::size_t arrived, std::size_t held) {
  if (arrivals_ == nullptr) return true;
  if (!arriving) {
    // A message that arrives in one piece, as most do, costs nothing here.
    arriving = std::make_unique<Arriving>();
    std::function<void()> shed;
    if (!keeps_messages_) {
      arriving->timer.emplace(*this, arrivals_->time_max(), &Call::too_slow);
      shed = [this] { no_room(); };
    }
    arriving->share = arrivals_->begin(std::move(shed));
  }
  return arriving->share->grow(arrived, held);
}

void Call::too_slow() {
  give_up(Gone::refused, {StatusCode::resource_exhausted, "a message did not arrive in time"});
}

void Call::no_room() {
  give_up(Gone::refused,
          {StatusCode::resource_exhausted,
           "more messages are arriving than there is memory for, and this one is the slowest"});
}

/// Tells the client the error in its message.
void Call::refuse(MessageReader::State why) {
  if (why == MessageReader::State::too_large) {
    return give_up(Gone::protocol, {StatusCode::resource_exhausted,
                                    "a message of " + std::to_string(reader_.length()) +
                                        " bytes is larger than the limit"});
  }
  if (why == MessageReader::State::malformed) {
    return give_up(Gone::protocol, {StatusCode::internal, "a message's flags are not valid"});
  }
  const auto encoding = http2::value_of(exchange_.request().fields, "grpc-encoding");
  if (!encoding || *encoding == "identity") {
    return give_up(
        Gone::protocol,
        {StatusCode::internal, "a message is compressed, which grpc-encoding does not announce"});
  }
  give_up(Gone::protocol,
          {StatusCode::unimplemented, "messages must not be compressed (grpc-encoding: identity)"});
}

/// False: nothing can be written.
bool Call::begin_write(std::string_view message) {
  static const http2::Fields head{{"content-type", std::string(content_type)}};
  if (!open() || message.size() > std::numeric_limits<std::uint32_t>::max()) return false;
  if (!std::exchange(answering_, true)) exchange_.respond(200, head);
  return true;
}

io::Task<bool> Call::write(std::string_view message) {
  if (!begin_write(message)) co_return false;
  const std::array<char, prefix_bytes> prefix =
      prefix_of(static_cast<std::uint32_t>(message.size()));
  const bool written =
      co_await exchange_.write({std::string_view(prefix.data(), prefix.size()), message});
  co_return written && !gone_;
}

io::Task<bool> Call::write_last(std::string_view message, Status status) {
  if (!begin_write(message)) co_return false;
  const std::array<char, prefix_bytes> prefix =
      prefix_of(static_cast<std::uint32_t>(message.size()));
  http2::Fields fields = trailers(status);
  const http2::Exchange::Parts parts{std::string_view(prefix.data(), prefix.size()), message};
  const bool written = co_await exchange_.write_last(parts, std::move(fields));
  // A deadline that has passed meanwhile has finished the call.
  if (written && !std::exchange(finished_, true)) {
    counters_.call_ended(static_cast<std::size_t>(status.code));
  }
  co_return written && !gone_;
}

// --- the end

http2::Fields Call::trailers(const Status& status) {
  http2::Fields fields = trailers_of(status);
  // A client that sent a compressed message gets the encodings that are supported.
  if (status.code == StatusCode::unimplemented) {
    fields.push_back({"grpc-accept-encoding", "identity"});
  }
  return fields;
}

void Call::finish(Status status) {
  if (finished_ || exchange_.gone()) return;
  finished_ = true;
  counters_.call_ended(static_cast<std::size_t>(status.code));
  http2::Fields fields = trailers(status);
  if (exchange_.writing()) {
    // A message was written only in part, so no status can follow.
    exchange_.reset(http2::cancel_error);
  } else if (answering_) {
    exchange_.end(std::move(fields));
  } else {
    answering_ = true;
    fields.insert(fields.begin(), {"content-type", std::string(content_type)});
    exchange_.respond(200, fields, true);
  }
}

void Call::give_up(Gone why, Status status) {
  if (!open()) return;
  gone_ = why;
  finish(std::move(status));
  exchange_.stop();
}

void Call::deadline_passed() {
  give_up(Gone::deadline, {StatusCode::deadline_exceeded, "the deadline has passed"});
}

Call::Timer::Timer(Call& call, std::chrono::milliseconds after, void (Call::*over)())
    : io::Deadline(call.exchange_.loop().deadlines()),
      call_(call),
      due_(call.exchange_.loop().now() + after),
      over_(over) {
  arm(after);
}

void Call::Timer::expired() {
  const auto now = Clock::now();
  if (now >= due_) return (call_.*over_)();
  // The loop aborts pending operations, and the connection ends by itself.
  arm(std::chrono::duration_cast<std::chrono::milliseconds>(due_ - now));
}

std::optional<Gone> Call::gone() const {
  if (gone_) return gone_;
  if (!exchange_.gone()) return std::nullopt;
  return *exchange_.gone() == http2::Gone::connection ? Gone::connection : Gone::reset;
}

void Call::on_gone(std::function<void(Gone)> told) {
  if (!told) return exchange_.on_gone(nullptr);
  exchange_.on_gone([this, told = std::move(told)](http2::Gone) {
    const auto why = gone();
    if (why) told(*why);
  });
}

}  // namespace onceproxy::grpc
