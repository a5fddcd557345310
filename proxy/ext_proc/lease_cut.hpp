// LeaseCut: ends a stream when the lease of its reservation has ended. The permit can then no
// longer settle anything, and Envoy must not forward the request, or must cancel it. Not
// thread-safe: used on its worker's loop.
#pragma once

#include "proxy/ext_proc/talk.hpp"
#include "store/lease_watch.hpp"

namespace onceproxy::ext_proc {

class LeaseCut final : public store::LeaseWatch {
 public:
  /// `talk` must outlive the object.
  explicit LeaseCut(Talk& talk) : talk_(talk) {}

  void lease_ended() override {
    ended_ = true;
    talk_.fail(grpc::StatusCode::unavailable, "The reservation's lease ended.");
  }
  bool ended() const { return ended_; }

 private:
  Talk& talk_;
  bool ended_ = false;
};

}  // namespace onceproxy::ext_proc
