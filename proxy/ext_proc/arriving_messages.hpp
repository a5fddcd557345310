// ArrivingMessages: limits Envoy's messages that have arrived only in part, like the bodies that
// arrive at the data port: together they use at most `limits.buffered_bytes`, the slowest is given
// up first, and each has `limits.body_timeout`. Messages that carry answers count, too, but are not
// given up. Not thread-safe: used on its worker's loop.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

#include "proxy/grpc/arrivals.hpp"
#include "proxy/http/buffer_budget.hpp"
#include "proxy/http/setup.hpp"

namespace onceproxy::ext_proc {

class ArrivingMessages final : public grpc::Arrivals {
 public:
  /// Both must outlive the object. `setup`: read each time.
  ArrivingMessages(const http::BufferBudget::Account& account,
                   const std::shared_ptr<const http::Setup>& setup)
      : account_(account), setup_(setup) {}

  std::unique_ptr<Share> begin(std::function<void()> shed) override {
    return std::make_unique<Message>(account_, std::move(shed));
  }
  std::chrono::milliseconds time_max() const override {
    return setup_->options.limits.body_timeout;
  }

 private:
  class Message final : public Share {
   public:
    Message(const http::BufferBudget::Account& account, std::function<void()> shed)
        : account_(account), shed_(std::move(shed)), share_(account, cancel()) {}

    bool grow(std::size_t arrived, std::size_t held) override {
      const bool kept = share_.grow(arrived, held, account_.now());
      if (!kept) count();
      return kept;
    }

   private:
    std::function<void()> cancel() {
      if (!shed_) return nullptr;
      return [this] {
        count();
        shed_();
      };
    }
    void count() {
      if (!std::exchange(counted_, true)) account_.count_shed();
    }

    const http::BufferBudget::Account& account_;
    const std::function<void()> shed_;
    bool counted_ = false;
    http::BufferBudget::Share share_;
  };

  const http::BufferBudget::Account& account_;
  const std::shared_ptr<const http::Setup>& setup_;
};

}  // namespace onceproxy::ext_proc
