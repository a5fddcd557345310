#include "proxy/ext_proc/talk.hpp"

#include <utility>

#include "proxy/ext_proc/replies.hpp"

namespace onceproxy::ext_proc {

namespace {

/// How much memory may be kept for the next message.
constexpr std::size_t kept_bytes = 4 * 1024;

}  // namespace

io::Task<Talk::Heard> Talk::hear() {
  heard_ = nullptr;
  arena_.end();
  const grpc::ServerStream::Read read = co_await stream_.read(in_);
  if (read != grpc::ServerStream::Read::message) co_return Heard::end;
  arena_.begin();
  heard_ = &arena_.make<ProcessingRequest>();
  const bool whole = heard_->ParseFromString(in_);
  // The arena has its own copy, and a body may be large.
  if (in_.capacity() > kept_bytes) std::string().swap(in_);
  if (!whole) {
    fail(grpc::StatusCode::invalid_argument, "The message is not a ProcessingRequest.");
    co_return Heard::garbled;
  }
  if (heard_->request_case() == ProcessingRequest::REQUEST_NOT_SET) {
    fail(grpc::StatusCode::invalid_argument, "The message has none of the known fields.");
    co_return Heard::garbled;
  }
  attributes_.take(*heard_);
  if (heard_->has_protocol_config()) configuration_ = heard_->protocol_config();
  only_watching_ = heard_->observability_mode();
  co_return Heard::message;
}

bool Talk::is_last(const ProcessingResponse& reply) const {
  if (reply.has_immediate_response()) return true;
  return !reply.has_override_message_timeout() && ends_answer(*heard_);
}

io::Task<bool> Talk::say(const ProcessingResponse& reply) {
  if (only_watching_) co_return true;
  reply.SerializeToString(&out_);
  bool written = false;
  writing_ = true;
  if (is_last(reply)) {
    grpc::Status ok;
    written = co_await stream_.write_last(out_, std::move(ok));
  } else {
    written = co_await stream_.write(out_);
  }
  writing_ = false;
  if (failure_) stream_.finish(*std::exchange(failure_, std::nullopt));
  co_return written;
}

io::Task<bool> Talk::let_go_on() {
  ProcessingResponse& reply = this->reply();
  ext_proc::let_go_on(*heard_, reply);
  const bool said = co_await say(reply);
  co_return said;
}

void Talk::fail(grpc::StatusCode code, std::string_view why) {
  grpc::Status status{code, std::string(why)};
  if (writing_) {
    failure_ = std::move(status);
  } else {
    stream_.finish(std::move(status));
  }
}

}  // namespace onceproxy::ext_proc
