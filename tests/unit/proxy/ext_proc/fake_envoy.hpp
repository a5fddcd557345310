// An Envoy that the test speaks for: a stream whose other end is the test.
#pragma once

#include <coroutine>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/ext_proc/messages.hpp"
#include "proxy/grpc/stream.hpp"

namespace onceproxy::ext_proc::testing {

/// A stream whose other end is the test.
class FakeEnvoy final : public grpc::ServerStream {
 public:
  std::vector<ProcessingResponse> said;
  std::optional<grpc::Status> finished;
  /// How many replies had been sent when keep_messages() was called.
  std::optional<std::size_t> keeps_since;

  void tell(const ProcessingRequest& message) { tell(message.SerializeAsString()); }
  void tell(std::string message) {
    incoming_.push_back(std::move(message));
    wake();
  }
  /// Envoy tells nothing more.
  void end() {
    ended_ = true;
    wake();
  }
  void reset() {
    gone_ = grpc::Gone::reset;
    wake();
  }

  std::string_view path() const override { return process_path; }
  std::string_view authority() const override { return {}; }
  std::optional<std::string_view> metadata(std::string_view) const override { return std::nullopt; }
  std::string_view peer_address() const override { return "unix"; }
  const tls::Peer* peer() const override { return nullptr; }
  std::optional<Clock::time_point> deadline() const override { return std::nullopt; }
  std::optional<grpc::Gone> gone() const override { return gone_; }
  void on_gone(std::function<void(grpc::Gone)>) override {}
  bool draining() const override { return false; }
  void keep_messages() override {
    if (!keeps_since) keeps_since = said.size();
  }

  io::Task<Read> read(std::string& message) override {
    co_await Reading{*this};
    if (gone_ || finished) co_return Read::gone;
    if (incoming_.empty()) co_return Read::end;
    message = std::move(incoming_.front());
    incoming_.pop_front();
    co_return Read::message;
  }
  io::Task<bool> write(std::string_view message) override {
    if (gone_ || finished) co_return false;
    const bool valid =
        said.emplace_back().ParseFromArray(message.data(), static_cast<int>(message.size()));
    co_return valid;
  }
  io::Task<bool> write_last(std::string_view message, grpc::Status status) override {
    const bool valid = co_await write(message);
    finish(std::move(status));
    co_return valid;
  }
  void finish(grpc::Status status) override {
    if (!gone_ && !finished) finished = std::move(status);
    wake();
  }

 private:
  struct Reading {
    FakeEnvoy& stream;
    bool await_ready() const {
      return !stream.incoming_.empty() || stream.ended_ || stream.gone_ || stream.finished;
    }
    void await_suspend(std::coroutine_handle<> reader) const { stream.reader_ = reader; }
    void await_resume() const {}
  };
  void wake() {
    if (reader_) std::exchange(reader_, nullptr).resume();
  }

  std::deque<std::string> incoming_;
  bool ended_ = false;
  std::optional<grpc::Gone> gone_;
  std::coroutine_handle<> reader_;
};

}  // namespace onceproxy::ext_proc::testing
