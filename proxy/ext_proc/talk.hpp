// Talk: the messages of one stream: what Envoy tells, one at a time, and what it is told. It knows
// no phases.
// Not thread-safe: its worker's loop.
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
  /// Both must outlive it.
  Talk(grpc::ServerStream& stream, Arenas& arenas) : stream_(stream), arena_(arenas) {}

  enum class Heard {
    message,
    end,      ///< Envoy tells nothing more, or is gone
    garbled,  ///< no message of this service; the stream was ended
  };
  /// Waits for the next message. What the one before held is gone then.
  io::Task<Heard> hear();
  ProcessingRequest& heard() { return *heard_; }

  /// Envoy only lets see what passes, and ignores what it is told.
  bool only_watching() const { return only_watching_; }
  /// As Envoy's filter is configured; nothing is known of it where Envoy does not say.
  const ProtocolConfiguration& configuration() const { return configuration_; }
  const AttributesTold& attributes() const { return attributes_; }

  /// An empty reply, which is gone with the next hear(). Once a message was heard.
  ProcessingResponse& reply() { return arena_.make<ProcessingResponse>(); }
  /// False: Envoy is gone, and whether it was told is unknown. Behind an answer at once, and behind
  /// the reply to an answer's end, Envoy has nothing more to ask: the stream ends together with it.
  io::Task<bool> say(const ProcessingResponse& reply);
  /// The reply that lets what was heard last go on as it is.
  io::Task<bool> let_go_on();

  /// Ends the stream so that Envoy answers with an error: nothing is let through. Never `ok`, with
  /// which Envoy would go on without asking. Where a reply is being written, behind it.
  void fail(grpc::StatusCode code, std::string_view why);
  /// Ends the stream behind its last reply, or behind Envoy's end.
  void end() { stream_.finish({}); }

  grpc::ServerStream& stream() { return stream_; }

 private:
  bool is_last(const ProcessingResponse& reply) const;

  grpc::ServerStream& stream_;
  /// Of the message that was heard last, and what is said about it.
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
