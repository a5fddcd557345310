#include "policies/except.hpp"

#include <algorithm>

#include "policies/canonical.hpp"
#include "policies/json_string.hpp"
#include "policies/pointer.hpp"

namespace onceproxy::policies {
namespace {

using Index = JsonTree::Index;
using Kind = JsonTree::Kind;

// Recursion is bounded by the pointer's length, which the configuration sets.
void find(const JsonTree& tree, Index from, std::span<const std::string> pointer,
          std::vector<Index>& found) {
  const auto star = std::find(pointer.begin(), pointer.end(), "*");
  const auto before = static_cast<std::size_t>(star - pointer.begin());
  const auto named = resolve(tree, from, pointer.first(before));
  if (!named) return;
  if (star == pointer.end()) {
    found.push_back(*named);
  } else if (tree.kind(*named) == Kind::array) {
    for (const Index child : tree.children(*named)) {
      find(tree, child, pointer.subspan(before + 1), found);
    }
  }
}

class Writer {
 public:
  /// `left_out` is sorted.
  Writer(const JsonTree& tree, const std::vector<Index>& left_out, std::string& out)
      : tree_(tree), left_out_(left_out), out_(out) {}

  // Recursion is bounded: no tree is deeper than JsonTree::depth_max.
  void write(Index value) {
    const Kind kind = tree_.kind(value);
    if (kind != Kind::array && kind != Kind::object) {
      return append_canonical(tree_, value, Selector{}, out_);
    }
    out_ += kind == Kind::array ? '[' : '{';
    bool first = true;
    for (const Index child : tree_.children(value)) {
      if (std::ranges::binary_search(left_out_, child)) continue;
      if (!first) out_ += ',';
      first = false;
      if (kind == Kind::object) {
        append_unescaped_json_string(tree_.name(child), out_);
        out_ += ':';
      }
      write(child);
    }
    out_ += kind == Kind::array ? ']' : '}';
  }

 private:
  const JsonTree& tree_;
  const std::vector<Index>& left_out_;
  std::string& out_;
};

}  // namespace

void append_without(const JsonTree& tree, std::span<const std::vector<std::string>> pointers,
                    std::string& out) {
  std::vector<Index> left_out;
  for (const std::vector<std::string>& pointer : pointers) find(tree, 0, pointer, left_out);
  if (left_out.empty()) return append_canonical(tree, 0, Selector{}, out);
  std::ranges::sort(left_out);
  Writer(tree, left_out, out).write(0);
}

bool leaves_out(std::span<const std::vector<std::string>> pointers, std::string_view name) {
  return std::ranges::any_of(pointers, [&](const std::vector<std::string>& pointer) {
    return pointer.size() == 1 && pointer.front() == name;
  });
}

}  // namespace onceproxy::policies
