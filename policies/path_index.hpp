// PathIndex: finds the policies that match a path. Templates are in a trie of segments, expressions
// in one automaton, so that a lookup costs about as much for 200 policies as for one. Immutable;
// thread-safe.
#pragma once

#include <re2/set.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policies/path_template.hpp"
#include "policies/policy.hpp"

namespace onceproxy::policies {

class PathIndex {
 public:
  /// `policies` must outlive the index.
  explicit PathIndex(const std::vector<Policy>& policies);

  /// Appends the indexes of the policies whose path condition `path` (normal form) meets, in any
  /// order, without duplicates.
  void find(std::string_view path, std::vector<std::uint32_t>& out) const;

 private:
  struct Node {
    /// Sorted by segment.
    std::vector<std::pair<std::string, std::uint32_t>> literals;
    /// 0: none (the root is not a child).
    std::uint32_t capture = 0;
    std::vector<std::uint32_t> ends_here;
    std::vector<std::uint32_t> takes_rest;
  };

  void add_template(const std::vector<PathSegment>& path, std::uint32_t policy);
  std::uint32_t child(std::uint32_t node, const PathSegment& segment);
  void build_set();
  void walk(const Node& node, Segments rest, std::vector<std::uint32_t>& out) const;
  void find_expressions(std::string_view path, std::vector<std::uint32_t>& out) const;
  void try_each_expression(std::string_view path, std::vector<std::uint32_t>& out) const;

  const std::vector<Policy>& policies_;
  std::vector<Node> nodes_;
  std::vector<std::uint32_t> any_path_;
  std::vector<std::uint32_t> with_expression_;
  /// nullptr if expressions are tried one by one.
  std::unique_ptr<const re2::RE2::Set> set_;
};

}  // namespace onceproxy::policies
