// Talk: reads and writes the messages of one stream, one at a time. It does not know the phases of
// a request. Not thread-safe: used on its worker's loop.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "proxy/ext_proc/arenas.hpp"
#include "proxy/ext_proc/attributes.hpp"
#include "proxy/ext_proc/messages.hpp"
#include "proxy/grpc/stream.hpp"
#include "proxy/io/task.hpp"

namespace onceproxy::ext_proc {

class Talk {
 public:
  /// Both must outlive the object.
  Talk(grpc::ServerStream& stream, Arenas& arenas) : stream_(stream), arena_(arenas) {}

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

  /// An empty reply, which is valid until the next hear(). Only after a message was heard.
  ProcessingResponse& reply() { return arena_.make<ProcessingResponse>(); }
  /// Returns false if Envoy is gone; it is then unknown whether it got the reply. After an
  /// immediate answer, and after the reply to the end of an answer, the stream ends in the same
  /// write.
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
  bool is_last(const ProcessingResponse& reply) const;

  grpc::ServerStream& stream_;
  /// The memory of the last message and of the reply to it.
  Arenas::Arena arena_;
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
