// Talk: reads and writes the messages of one stream, one at a time. It does not know the phases of
// a request. Not thread-safe: used on its worker's loop.
#pragma once

#include <google/protobuf/arena.h>

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/ext_proc/attributes.hpp"
#include "proxy/ext_proc/messages.hpp"
#include "proxy/grpc/stream.hpp"
#include "proxy/io/task.hpp"

namespace onceproxy::ext_proc {

class Talk {
 public:
  /// `stream` must outlive the object.
  explicit Talk(grpc::ServerStream& stream) : stream_(stream) {}

  enum class Heard {
    message,
    end,      ///< Envoy sends no more messages, or is gone
    garbled,  ///< not a valid message; the stream was ended
  };
  /// Waits for the next message. The previous message is no longer valid then.
  io::Task<Heard> hear();
  ProcessingRequest& heard() { return *heard_; }

  /// Whether Envoy only reports messages and ignores replies (observability_mode).
  bool only_watching() const { return only_watching_; }
  /// The processing modes of Envoy's filter; absent if Envoy does not send them.
  const ProtocolConfiguration& configuration() const { return configuration_; }
  const AttributesTold& attributes() const { return attributes_; }

  /// An empty reply, which is valid until the next hear().
  ProcessingResponse& reply() {
    return *google::protobuf::Arena::CreateMessage<ProcessingResponse>(&arena_);
  }
  /// Returns false if Envoy is gone; it is then unknown whether it got the reply.
  io::Task<bool> say(const ProcessingResponse& reply);
  /// Sends the reply that lets the last message pass unchanged.
  io::Task<bool> let_go_on();

  /// Ends the stream so that Envoy answers with an error and lets nothing pass. The status must not
  /// be `ok`, because Envoy would continue without asking. If a reply is being written, the stream
  /// ends after it.
  void fail(grpc::StatusCode code, std::string_view why);
  /// Ends the stream after the last reply, or after Envoy's end.
  void end() { stream_.finish({}); }

  grpc::ServerStream& stream() { return stream_; }

 private:
  grpc::ServerStream& stream_;
  /// Large enough for most heads and their replies, so that they need no allocation.
  alignas(8) std::array<char, 4 * 1024> first_block_;
  /// The last message, and the reply to it.
  google::protobuf::Arena arena_{first_block_.data(), first_block_.size()};
  ProcessingRequest* heard_ = nullptr;
  std::string in_;
  std::string out_;
  AttributesTold attributes_;
  ProtocolConfiguration configuration_;
  bool only_watching_ = false;
  bool writing_ = false;
  std::optional<grpc::Status> failure_;
};

}  // namespace onceproxy::ext_proc
