// The backends that the conformance suite runs against, by one interface: a store, a second one on
// the same records where the backend has that, and the verbs made synchronous. Each test of the
// suite runs once for each backend, and says what a caller may rely on whatever the backend.
#pragma once

#include <catch2/catch.hpp>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "../postgres/postgres_server.hpp"
#include "../rocksdb/store_fixture.hpp"
#include "store/postgres/postgres_store.hpp"
#include "store/postgres/tuning.hpp"
#include "store/store_clock.hpp"

#define ONCEPROXY_NEEDS_BACKEND()                                 \
  if (!TestType::available()) {                                   \
    WARN("skipped: the server of this backend is not installed"); \
    return;                                                       \
  }

namespace onceproxy::store::testing {

/// The verbs of one store, each waited for.
class Verbs {
 public:
  explicit Verbs(Store& store) : store_(store) {}

  ReserveResult reserve(const ReserveRequest& request) {
    Waiting<ReserveResult> call(loop_);
    if (store_.reserve(request, call)) return std::move(*call.result);
    return std::move(call.wait());
  }
  /// The reservation that must succeed.
  Reserved reserved(const ReserveRequest& request) {
    ReserveResult result = reserve(request);
    auto* const reserved = std::get_if<Reserved>(&result);
    if (reserved == nullptr) {
      throw std::runtime_error("not reserved but answer " + std::to_string(result.index()));
    }
    return std::move(*reserved);
  }
  Permit permit(const ReserveRequest& request) { return std::move(reserved(request).permit); }
  Settled complete(Permit permit, StoredAnswer answer, std::span<const Fingerprint> ends = {}) {
    Waiting<Settled> call(loop_);
    if (store_.complete(std::move(permit), std::move(answer), ends, call)) return *call.result;
    return call.wait();
  }
  Settled release(Permit permit) {
    Waiting<Settled> call(loop_);
    if (store_.release(std::move(permit), {503, {}}, call)) return *call.result;
    return call.wait();
  }
  Settled mark_unknown(Permit permit) {
    Waiting<Settled> call(loop_);
    if (store_.mark_unknown(std::move(permit), "timeout", call)) return *call.result;
    return call.wait();
  }

  /// Asks until the answer is of that kind; throws where it never is.
  template <typename Kind>
  Kind until(const ReserveRequest& request) {
    std::optional<Kind> out;
    const bool found = eventually([&] {
      ReserveResult result = reserve(request);
      if (auto* const right = std::get_if<Kind>(&result)) out.emplace(std::move(*right));
      return out.has_value();
    });
    if (!found) throw std::runtime_error("never answered like that");
    return *std::move(out);
  }

  Store& store() { return store_; }

 private:
  Store& store_;
  DirectLoop loop_;
};

class RocksDbBackend {
 public:
  static constexpr bool shared = false;
  static bool available() { return true; }

  RocksDbBackend() {
    options_.path = directory_.path() / "store";
    options_.audit.enabled = false;
    Tuning tuning;
    tuning.tick = 50ms;
    store_ = open_tuned(options_, tuning, clock_, {});
  }
  ~RocksDbBackend() { store_->close(); }

  Store& first() { return *store_; }
  Store& second() { return *store_; }
  Inspection& inspection() { return store_->inspection(); }
  std::uint64_t calls_waiting() const { return store_->stats().calls_waiting; }

 private:
  TemporaryDirectory directory_;
  StoreClock clock_;
  RocksDbOptions options_;
  std::unique_ptr<RocksDbStore> store_;
};

class PostgresBackend {
 public:
  static constexpr bool shared = true;
  static bool available() { return postgres_installed(); }

  PostgresBackend() : options_(PostgresServer::shared().options()) {
    first_ = open();
    second_ = open();
  }
  ~PostgresBackend() {
    first_->close();
    second_->close();
  }

  Store& first() { return *first_; }
  Store& second() { return *second_; }
  Inspection& inspection() { return second_->inspection(); }
  std::uint64_t calls_waiting() const {
    return first_->stats().calls_waiting + second_->stats().calls_waiting;
  }

 private:
  std::unique_ptr<PostgresStore> open() {
    PostgresTuning tuning;
    tuning.tick = 20ms;
    tuning.beat = 200ms;
    tuning.poll = 300ms;
    return open_tuned(options_, 1, tuning, clock_, {});
  }

  StoreClock clock_;
  const PostgresOptions options_;
  std::unique_ptr<PostgresStore> first_;
  std::unique_ptr<PostgresStore> second_;
};

}  // namespace onceproxy::store::testing
