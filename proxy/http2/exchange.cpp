#include "proxy/http2/exchange.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include "proxy/http2/session.hpp"

namespace onceproxy::http2 {

Exchange::Exchange(Session& session, io::EventLoop& loop, std::shared_ptr<Origin> origin,
                   std::int32_t id)
    : session_(&session), loop_(loop), origin_(std::move(origin)), id_(id) {}

Exchange::~Exchange() {
  assert(!reader_ && writer_ == nullptr);
}

// --- the request's body

bool Exchange::readable() {
  if (body_.empty()) std::swap(body_, arrived_);
  return !body_.empty() || request_ended_ || !open() || gone_;
}

Exchange::Read Exchange::read_result() {
  if (body_.empty()) std::swap(body_, arrived_);
  if (gone_ || ended_) return Read::gone;
  return body_.empty() && request_ended_ ? Read::end : Read::bytes;
}

void Exchange::consume(std::size_t bytes) {
  if (bytes == 0) return;
  body_.consume(bytes);
  if (body_.empty()) body_.shrink();
  if (session_ != nullptr) {
    session_->consumed(id_, bytes);
  } else if (origin_->session != nullptr) {
    origin_->session->consumed(0, bytes);
  }
}

void Exchange::drop_body() {
  consume(body_.size());
  std::swap(body_, arrived_);
  consume(body_.size());
}

void Exchange::took(std::string_view bytes) {
  if (ended_ || handled_) {
    session_->consumed(id_, bytes.size());
    unwanted_bytes_ += bytes.size();
    return;
  }
  // The handler has no view of an empty buffer.
  io::Buffer& to = body_.empty() && arrived_.empty() ? body_ : arrived_;
  while (!bytes.empty()) {
    // The size is limited by the flow control window.
    const io::Buffer::Room room = to.prepare(to.size() + bytes.size());
    const std::size_t taken = std::min(room.size, bytes.size());
    std::copy_n(bytes.data(), taken, room.data);
    to.commit(taken);
    bytes.remove_prefix(taken);
  }
  if (reader_) wake();
}

void Exchange::request_complete() {
  request_ended_ = true;
  if (reader_) wake();
}

// --- the answer

void Exchange::respond(int status, const Fields& fields, bool ends) {
  assert(!responded_ && status >= 200);
  responded_ = true;
  if (!open()) return;
  session_->respond(*this, status, fields, ends);
  if (ends) ended_ = true;
}

void Exchange::interim(int status, const Fields& fields) {
  if (open() && !responded_) session_->interim(*this, status, fields);
}

void Exchange::WriteAwaiter::await_suspend(std::coroutine_handle<> waiter) {
  assert(exchange_.responded_ && exchange_.writer_ == nullptr);
  waiter_ = waiter;
  moved_ = exchange_.loop_.now();
  exchange_.writer_ = this;
  exchange_.session_->resume(exchange_.id_);
}

std::size_t Exchange::give(std::uint8_t* to, std::size_t room) {
  std::size_t given = 0;
  if (writer_ == nullptr || writer_done_) return given;
  for (std::string_view& part : writer_->parts_) {
    const std::size_t taken = std::min(room - given, part.size());
    std::copy_n(part.data(), taken, to + given);
    part.remove_prefix(taken);
    given += taken;
  }
  if (given > 0) writer_->moved_ = loop_.now();
  if (writer_->left() == 0) {
    writer_done_ = true;
    if (last_) ended_ = true;
    wake();
  }
  return given;
}

void Exchange::end(Fields trailers) {
  assert(responded_ && writer_ == nullptr);
  if (!open()) return;
  ended_ = true;
  answer_trailers_ = std::move(trailers);
  session_->resume(id_);
  if (reader_) wake();
}

void Exchange::reset(std::uint32_t error) {
  if (session_ == nullptr || reset_) return;
  ended_ = reset_ = true;
  session_->reset(id_, error);
  if (reader_ || writer_ != nullptr) wake();
}

// --- its end

void Exchange::on_gone(std::function<void(Gone)> told) {
  on_gone_ = std::move(told);
  if (on_gone_ && gone_) wake();
}

void Exchange::stop() {
  if (gone_ || handled_) return;
  gone_ = Gone::stopped;
  wake();
}

void Exchange::detach(std::optional<Gone> why) {
  session_ = nullptr;
  // The handler cannot read this any more. It may still use the data in body_.
  if (origin_->session != nullptr) origin_->session->consumed(0, arrived_.size());
  arrived_.consume(arrived_.size());
  arrived_.shrink();
  if (handled_) return;
  if (why && !ended_ && !gone_) gone_ = why;
  wake();
}

void Exchange::handler_ended() {
  on_gone_ = nullptr;
  if (open()) reset(internal_error);
  handled_ = true;
  drop_body();
  --origin_->handlers;
}

/// Resumes a waiting coroutine whose wait is over, or reports that the exchange is gone. It does
/// only one of these, because that may delete this object; the loop calls it again for the others.
void Exchange::run() {
  const Pointer keep(this);
  const bool over = gone_ || !open();
  if (writer_ != nullptr && (writer_done_ || over)) {
    const auto waiter = std::exchange(writer_, nullptr)->waiter_;
    writer_done_ = false;
    if (reader_ || on_gone_) wake();
    waiter.resume();
  } else if (reader_ && readable()) {
    const auto waiter = std::exchange(reader_, nullptr);
    if (on_gone_) wake();
    waiter.resume();
  } else if (on_gone_ && gone_) {
    std::exchange(on_gone_, nullptr)(*gone_);
  }
}

}  // namespace onceproxy::http2
