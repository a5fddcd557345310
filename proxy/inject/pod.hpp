// Pod: the parts of a pod's JSON (core/v1) that the webhook and the audit read. A value that is
// missing or has another type counts as absent, as in Kubernetes. It is a view of the tree, which
// must outlive it.
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

  /// `pod`: the position of the object in the tree.
  Pod(const Tree& tree, Tree::Index pod) : tree_(tree), pod_(pod) {}

  /// Empty if there is none.
  std::string_view label(std::string_view name) const;
  std::string_view annotation(std::string_view name) const;
  bool has_annotations() const;
  std::string_view name() const;
  /// The prefix that a controller gives to the names of its pods.
  std::string_view generate_name() const;
  std::string_view name_space() const;
  /// Pending, Running, Succeeded, Failed or Unknown.
  std::string_view phase() const;
  std::string_view operating_system() const;
  std::optional<std::int64_t> grace_period_seconds() const;

  /// Whether spec has a list with that name that is not null.
  bool has_list(std::string_view name) const;
  bool has_volume(std::string_view name) const;
  /// Whether the volume with that name is a claim, whose root directory is created by a driver and
  /// usually belongs to root.
  bool has_claimed_volume(std::string_view name) const;
  /// Whether securityContext has a group for volumes.
  bool has_volume_group() const;
  /// Whether it has a container with the sidecar's name, of any kind.
  bool has_named_container() const;
  /// Whether it has the sidecar: a container with its name that is native (an init container that
  /// is always restarted) or ordinary, and that runs the proxy. An init container that only checks
  /// the configuration is not one.
  bool has_sidecar() const;
  /// The container that declares the port; empty if there is none.
  std::string_view container_with_port(std::uint16_t port) const;

 private:
  std::optional<Tree::Index> member(std::optional<Tree::Index> object, std::string_view name) const;
  std::string_view text(std::optional<Tree::Index> value) const;
  bool runs(Tree::Index container) const;
  std::optional<Tree::Index> spec(std::string_view name) const;
  std::string_view metadata(std::string_view map, std::string_view name) const;
  /// Calls `visit` with each object of a list until it returns true. Returns whether it did.
  bool any(std::optional<Tree::Index> list, const std::function<bool(Tree::Index)>& visit) const;

  const Tree& tree_;
  const Tree::Index pod_;
};

}  // namespace onceproxy::inject
