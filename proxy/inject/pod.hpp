// Pod: what the webhook and the audit look at in a pod's JSON (core/v1). What is missing or has
// another type counts as absent, as it does for Kubernetes. It views the tree, which outlives it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "policies/json.hpp"

namespace onceproxy::inject {

class Pod {
 public:
  using Tree = policies::JsonTree;

  /// `pod`: the object's place in the tree.
  Pod(const Tree& tree, Tree::Index pod) : tree_(tree), pod_(pod) {}

  /// Empty where there is none, or where it is empty.
  std::string_view label(std::string_view name) const;
  std::string_view annotation(std::string_view name) const;
  bool has_annotations() const;
  std::string_view name() const;
  /// What a controller begins the name of its pods with.
  std::string_view generate_name() const;
  std::string_view name_space() const;
  /// Pending, Running, Succeeded, Failed or Unknown.
  std::string_view phase() const;
  std::string_view operating_system() const;
  std::optional<std::int64_t> grace_period_seconds() const;

  /// Whether spec has a list of that name that is not null.
  bool has_list(std::string_view name) const;
  bool has_volume(std::string_view name) const;
  /// The volume of that name is a claim's, so that its root is made by a driver, and mostly root's.
  bool has_claimed_volume(std::string_view name) const;
  /// Whether securityContext names a group that volumes are given to.
  bool has_volume_group() const;
  /// It has a container of the sidecar's name, native or plain, whoever added it.
  bool has_sidecar() const;
  /// The container that declares the port; empty where none does.
  std::string_view container_with_port(std::uint16_t port) const;

 private:
  std::optional<Tree::Index> member(std::optional<Tree::Index> object, std::string_view name) const;
  std::string_view text(std::optional<Tree::Index> value) const;
  std::optional<Tree::Index> spec(std::string_view name) const;
  std::string_view metadata(std::string_view map, std::string_view name) const;
  /// Calls `visit` with each object of a list until it says true; whether it did.
  bool any(std::optional<Tree::Index> list, const std::function<bool(Tree::Index)>& visit) const;

  const Tree& tree_;
  const Tree::Index pod_;
};

}  // namespace onceproxy::inject
