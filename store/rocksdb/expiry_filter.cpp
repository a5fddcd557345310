#include "store/rocksdb/expiry_filter.hpp"

#include <chrono>

namespace onceproxy::store {
namespace {

using namespace std::chrono_literals;

/// A reader that has just found a record alive still finds its answer, which lies apart.
constexpr auto grace = 1min;

std::string_view view(const rocksdb::Slice& slice) {
  return {slice.data(), slice.size()};
}

class ExpiryFilter final : public rocksdb::CompactionFilter {
 public:
  ExpiryFilter(WallTime purge_before, ExpiryOf expiry_of, bool expiry_in_key)
      : purge_before_(purge_before), expiry_of_(expiry_of), expiry_in_key_(expiry_in_key) {}

  const char* Name() const override { return "onceproxy.expiry"; }

  Decision FilterV2(int, const rocksdb::Slice& key, ValueType, const rocksdb::Slice& value,
                    std::string*, std::string*) const override {
    return decide(expiry_of_(view(key), view(value)));
  }

  Decision FilterBlobByKey(int, const rocksdb::Slice& key, std::string*,
                           std::string*) const override {
    if (!expiry_in_key_) return Decision::kUndetermined;
    return decide(expiry_of_(view(key), {}));
  }

 private:
  /// kRemove leaves a deletion behind if an older version may lie below, so that an old record
  /// never shines through.
  Decision decide(std::optional<WallTime> expires) const {
    return expires && *expires < purge_before_ ? Decision::kRemove : Decision::kKeep;
  }

  const WallTime purge_before_;
  const ExpiryOf expiry_of_;
  const bool expiry_in_key_;
};

class ExpiryFilterFactory final : public rocksdb::CompactionFilterFactory {
 public:
  ExpiryFilterFactory(const Clock& clock, ExpiryOf expiry_of, bool expiry_in_key)
      : clock_(clock), expiry_of_(expiry_of), expiry_in_key_(expiry_in_key) {}

  const char* Name() const override { return "onceproxy.expiry"; }

  /// At flushes too: a window of seconds ends before the memtable is full.
  bool ShouldFilterTableFileCreation(rocksdb::TableFileCreationReason reason) const override {
    return reason == rocksdb::TableFileCreationReason::kCompaction ||
           reason == rocksdb::TableFileCreationReason::kFlush;
  }

  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(
      const rocksdb::CompactionFilter::Context&) override {
    if (!clock_.may_purge()) return nullptr;
    return std::make_unique<ExpiryFilter>(clock_.now() - grace, expiry_of_, expiry_in_key_);
  }

 private:
  const Clock& clock_;
  const ExpiryOf expiry_of_;
  const bool expiry_in_key_;
};

}  // namespace

std::shared_ptr<rocksdb::CompactionFilterFactory> make_expiry_filter(const Clock& clock,
                                                                     ExpiryOf expiry_of,
                                                                     bool expiry_in_key) {
  return std::make_shared<ExpiryFilterFactory>(clock, expiry_of, expiry_in_key);
}

}  // namespace onceproxy::store
