#include "store/rocksdb/operation_list.hpp"

#include <catch2/catch.hpp>

using namespace onceproxy::store;

namespace {

OperationList list_of(std::uint64_t count) {
  Operation* first = nullptr;
  for (std::uint64_t fence = count; fence > 0; --fence) {
    auto operation = std::make_unique<Operation>();
    operation->fence = fence;
    operation->next = first;
    first = operation.release();
  }
  return OperationList(first);
}

std::vector<std::uint64_t> fences(OperationList list) {
  std::vector<std::uint64_t> out;
  while (const auto operation = list.pop_front()) out.push_back(operation->fence);
  return out;
}

using Fences = std::vector<std::uint64_t>;
constexpr std::size_t any = 1'000'000;

}  // namespace

TEST_CASE("a list gives its operations in order, and what stays in it goes with it") {
  CHECK(fences(OperationList()).empty());
  CHECK(fences(list_of(3)) == Fences{1, 2, 3});
  const OperationList left = list_of(2);
  CHECK(left.front()->fence == 1);
}

TEST_CASE("a cut takes at most so many operations off the front") {
  OperationList list = list_of(5);
  CHECK(fences(list.cut(2, any)) == Fences{1, 2});
  CHECK(fences(list.cut(2, any)) == Fences{3, 4});
  CHECK(fences(list.cut(2, any)) == Fences{5});
  CHECK(list.empty());
}

TEST_CASE("a cut takes at most so many bytes off the front, but one operation at least") {
  const std::size_t each = Operation().bytes();
  OperationList list = list_of(4);
  CHECK(fences(list.cut(any, 2 * each)) == Fences{1, 2});
  CHECK(fences(list.cut(any, 1)) == Fences{3});
  CHECK(fences(std::move(list)) == Fences{4});
}
