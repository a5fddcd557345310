#include "store/expiry_filter.hpp"

#include <chrono>
#include <utility>

namespace onceproxy::store {
namespace {

using namespace std::chrono_literals;

constexpr auto clocks_apart_max = 1min;
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
  /// kRemove leaves a deletion behind where an older version may lie below, so that an old record
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
  ExpiryFilterFactory(const Clock& clock, std::function<WallTime()> wall_clock, ExpiryOf expiry_of,
                      bool expiry_in_key)
      : clock_(clock),
        wall_clock_(std::move(wall_clock)),
        expiry_of_(expiry_of),
        expiry_in_key_(expiry_in_key) {}

  const char* Name() const override { return "onceproxy.expiry"; }

  /// At flushes too: a window of seconds ends before the memtable is full.
  bool ShouldFilterTableFileCreation(rocksdb::TableFileCreationReason reason) const override {
    return reason == rocksdb::TableFileCreationReason::kCompaction ||
           reason == rocksdb::TableFileCreationReason::kFlush;
  }

  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(
      const rocksdb::CompactionFilter::Context&) override {
    const WallTime now = clock_.now();
    const auto apart = std::chrono::abs(wall_clock_() - now);
    if (apart > clocks_apart_max) return nullptr;
    return std::make_unique<ExpiryFilter>(now - grace, expiry_of_, expiry_in_key_);
  }

 private:
  const Clock& clock_;
  const std::function<WallTime()> wall_clock_;
  const ExpiryOf expiry_of_;
  const bool expiry_in_key_;
};

}  // namespace

std::shared_ptr<rocksdb::CompactionFilterFactory> make_expiry_filter(
    const Clock& clock, std::function<WallTime()> wall_clock, ExpiryOf expiry_of,
    bool expiry_in_key) {
  return std::make_shared<ExpiryFilterFactory>(clock, std::move(wall_clock), expiry_of,
                                               expiry_in_key);
}

}  // namespace onceproxy::store
