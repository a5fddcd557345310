// UpstreamCall: one request to the upstream and its answer, for both kinds of forwards. It waits
// for a turn and a connection, writes the request (and retries as long as no byte was sent), reads
// the answer strictly, and returns the connection. The answer may arrive while the request is sent:
// an early final answer is accepted (RFC 9110 7.5), and its connection is not used again.
//
// A failure is NotSent only if this is certain, and Unknown in every other case. Not thread-safe:
// used on its worker's loop.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "proxy/gate/gate.hpp"
#include "proxy/http/body_reader.hpp"
#include "proxy/http/forward_record.hpp"
#include "proxy/http/grammar/head.hpp"
#include "proxy/http/setup.hpp"
#include "proxy/http/upstream.hpp"

namespace onceproxy::http {

class UpstreamCall {
 public:
  /// `upstream` and `setup` must outlive the call. The method of the request determines whether the
  /// answer has a body. `policy_turns`: the limit of the policy's requests under way, which belongs
  /// to `setup`; nullptr: no limit.
  UpstreamCall(UpstreamPool& upstream, const std::shared_ptr<const Setup>& setup,
               std::string_view method, Slots* policy_turns = nullptr);
  /// If the call holds turns and its answer is not complete, the pool takes it over
  /// (abandoned_call.hpp). Otherwise the destructor closes the connection.
  ~UpstreamCall();
  UpstreamCall(const UpstreamCall&) = delete;
  UpstreamCall& operator=(const UpstreamCall&) = delete;

  using Failure = std::variant<gate::NotSent, gate::Unknown>;
  using Result = std::optional<Failure>;

  /// Gets a connection and writes `parts` to it; they must stay valid while unsent(). Returns
  /// nothing if everything was written, or if the upstream began to answer before that.
  Task<Result> send(io::Stream::Parts parts);
  /// Whether send() has not written everything, since the upstream may have answered already. The
  /// reader of the answer then runs send_rest() at the same time.
  bool unsent() const { return unsent_; }
  Task<io::IoError> send_rest();

  /// The request asks for an upgrade, so a 101 is an answer.
  void expect_upgrade() { asked_for_upgrade_ = true; }

  /// From now on the upstream has response_timeout to send the answer's head, unless it has already
  /// arrived.
  void await_response();
  /// The upstream accepts no more of the request: reading from it ends with a timeout.
  void give_up();
  /// The reservation no longer belongs to this process, so another request may be forwarded. The
  /// rest of the request is not sent, no answer is waited for, and the connection is closed with
  /// the call.
  void cut();
  /// Asked right before the first byte is written: true cuts it, too.
  void unless(std::function<bool()> lapsed) { lapsed_ = std::move(lapsed); }

  struct HeadRead {
    std::optional<gate::Unknown> failure;
    /// The connection ended before the first byte of an answer.
    bool closed_unanswered = false;
  };
  /// Reads the next head, which may be an interim one (1xx), into `head`. After an interim head
  /// call drop_interim(), and then this again.
  Task<HeadRead> read_head();
  /// Whether the final answer's body has begun.
  bool answering() const { return answering_; }
  bool interim() const { return head.status < 200 && head.status != 101; }
  void drop_interim();

  /// Begins the body of the final answer. `head` stays valid.
  void begin_body();
  /// Copies the head out of the connection's buffer, for callers that need it longer. Further
  /// reading does this itself.
  void keep_head();
  /// Reads the next piece of the body: data, end or malformed (also for a truncated body). A piece
  /// is valid until the next call.
  Task<BodyReader::Piece> read_body();
  /// The same, but the piece may be in `piped`, which is empty before, instead of in `data`.
  Task<BodyReader::Piece> read_body(io::Piped& piped);
  /// Moves the bytes that follow the last piece and have already arrived into `piped`, which is
  /// empty before. The piece stays valid.
  void take_piped(io::Piped& piped);
  /// The same without I/O; the result is need_more if I/O is necessary.
  BodyReader::Piece take_body();

  /// The answer has been read completely: returns the connection if it can carry another request.
  void finish();

  /// The time since send(); negative before it.
  std::chrono::nanoseconds duration() const;
  /// The current state of the call. `status`: of its answer; 0 if there was none.
  ForwardRecord record(int status) const;

  /// Closed with the call unless finish() has returned it.
  Lease connection;
  /// The request was not sent completely, so the connection must not be used again.
  bool spoiled = false;
  ResponseHead head;
  /// The error in a malformed body, with its position; valid as long as the call.
  std::string_view body_error = "The answer's body is malformed.";
  bool timed_out = false;
  /// Why there is no connection, if TLS is the reason; empty if it is not.
  std::string tls_failure;

 private:
  const UpstreamOptions& options() const { return setup_->options.upstream; }
  Task<bool> take_turns(std::size_t bytes);
  Task<BodyReader::Piece> read_body(io::Piped* piped);
  bool upstream_may_be_at_work() const;
  void note_end(io::IoError error);
  void note_lost();
  gate::NotSent not_sent(gate::NotSent why);
  void keep_rest(const io::Stream::Parts& parts, std::size_t written);
  std::optional<gate::Unknown> check_head(std::string_view bytes);
  std::string_view malformed_head(const BadHead& bad, std::string_view bytes);

  UpstreamPool& upstream_;
  const std::shared_ptr<const Setup>& setup_;
  /// A copy, because the request's head may be moved out of its buffer while the body is read.
  const std::string method_;
  Slots* const policy_turns_;
  std::optional<UpstreamPool::Turn> policy_turn_;
  std::optional<UpstreamPool::Turn> turn_;
  std::optional<BodyReader> body_;
  std::chrono::steady_clock::time_point sent_at_{};
  std::chrono::nanoseconds until_end_{-1};
  int interims_ = 0;
  ForwardFault fault_ = ForwardFault::none;
  /// The address to which the request was sent; set only if the access log needs it.
  std::string host_;
  bool unsent_ = false;
  bool cut_ = false;
  std::function<bool()> lapsed_;
  io::Stream::Parts rest_;
  bool answering_ = false;
  /// A copy of the head's bytes, if they are needed longer than the buffer.
  std::string kept_head_;
  const char* head_begin_ = nullptr;
  bool asked_for_upgrade_ = false;
  /// Whether the request was sent completely and no answer was malformed.
  bool unfinished_ = false;
  /// The error in the answer, as a sentence.
  std::string malformed_;
};

}  // namespace onceproxy::http
