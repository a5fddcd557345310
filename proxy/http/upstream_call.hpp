// UpstreamCall: one request to the upstream and its answer, for both ways of forwarding: the turn,
// the connection, the write that may be tried again as long as no byte was taken, the strict
// reading of the answer, and what becomes of the connection. The upstream is heard while the
// request is sent: a final answer that comes early is the answer (RFC 9110 7.5), and its connection
// carries no other request.
//
// A failure says what is known about the request: NotSent only where that is certain, Unknown in
// every other case.
// Not thread-safe: its worker's loop.
#pragma once

#include <chrono>
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
  /// `upstream` and `setup` must stay. The method of the request decides whether the answer has a
  /// body. `policy_turns`: what bounds the policy's requests under way, and belongs to `setup`;
  /// nullptr: nothing.
  UpstreamCall(UpstreamPool& upstream, const std::shared_ptr<const Setup>& setup,
               std::string_view method, Slots* policy_turns = nullptr);
  /// A call that holds turns, and whose answer is not over, is left to the pool: see
  /// abandoned_call.hpp. Any other ends its connection.
  ~UpstreamCall();
  UpstreamCall(const UpstreamCall&) = delete;
  UpstreamCall& operator=(const UpstreamCall&) = delete;

  using Failure = std::variant<gate::NotSent, gate::Unknown>;
  using Result = std::optional<Failure>;

  /// Gets a connection and writes `parts` to it, which must stay while unsent(). Nothing: all of it
  /// was written, or the upstream spoke before it had taken all.
  Task<Result> send(io::Stream::Parts parts);
  /// send() left a rest, since the upstream may have answered already. Whoever reads the answer
  /// lets send_rest() run beside that.
  bool unsent() const { return unsent_; }
  Task<io::IoError> send_rest();

  /// The request asks for an upgrade: a 101 will be an answer.
  void expect_upgrade() { asked_for_upgrade_ = true; }

  /// From now on the upstream has response_timeout to send the answer's head, unless that is there
  /// already.
  void await_response();
  /// The upstream takes nothing more of the request: what is read from it ends as timed out.
  void give_up();
  /// The reservation is not this process's any more, so another may be forwarded: what was not sent
  /// is not, an answer is not waited for, and the connection ends with the call.
  void cut();

  struct HeadRead {
    std::optional<gate::Unknown> failure;
    /// The connection ended before a byte of an answer.
    bool closed_unanswered = false;
  };
  /// Reads the next head, an interim one (1xx) included, into `head`. Call again after an interim
  /// one, after using it up with drop_interim().
  Task<HeadRead> read_head();
  /// The final answer's body was begun.
  bool answering() const { return answering_; }
  bool interim() const { return head.status < 200 && head.status != 101; }
  void drop_interim();

  /// Begins the body of the final answer. `head` stays valid.
  void begin_body();
  /// Moves the head out of the connection's buffer, for callers that need it beyond that. Reading
  /// on does so itself.
  void keep_head();
  /// The next piece of the body: data, end or malformed (which is also a body that broke off).
  /// A piece is valid until the next call.
  Task<BodyReader::Piece> read_body();
  /// The same, or a piece that is in `piped`, which is empty, instead of in `data`.
  Task<BodyReader::Piece> read_body(io::Piped& piped);
  /// What follows the piece that was taken last, and is there already, into `piped`, which is
  /// empty. The piece stays valid.
  void take_piped(io::Piped& piped);
  /// The same where no I/O is needed: need_more says that it is.
  BodyReader::Piece take_body();

  /// The answer was read whole: keeps the connection if it can carry another request.
  void finish();

  /// Since send(); negative before.
  std::chrono::nanoseconds duration() const;
  /// The call as it is now. `status`: of its answer; 0: there was none.
  ForwardRecord record(int status) const;

  /// Closed with the call unless finish() kept it.
  Lease connection;
  /// The request was not sent whole: the connection must not carry another.
  bool spoiled = false;
  ResponseHead head;
  /// Why a body is malformed, and where; valid as long as the call.
  std::string_view body_error = "The answer's body is malformed.";
  bool timed_out = false;

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
  /// A copy: the request's head may move out of its buffer while the body is read.
  const std::string method_;
  Slots* const policy_turns_;
  std::optional<UpstreamPool::Turn> policy_turn_;
  std::optional<UpstreamPool::Turn> turn_;
  std::optional<BodyReader> body_;
  std::chrono::steady_clock::time_point sent_at_{};
  std::chrono::nanoseconds until_end_{-1};
  int interims_ = 0;
  ForwardFault fault_ = ForwardFault::none;
  /// Where the request was sent; only where the access log may tell.
  std::string host_;
  bool unsent_ = false;
  bool cut_ = false;
  io::Stream::Parts rest_;
  bool answering_ = false;
  /// The head's bytes, once they are needed beyond the buffer.
  std::string kept_head_;
  const char* head_begin_ = nullptr;
  bool asked_for_upgrade_ = false;
  /// The request was sent whole, and no answer was found malformed.
  bool unfinished_ = false;
  /// What is wrong with the answer, as a sentence.
  std::string malformed_;
};

}  // namespace onceproxy::http
