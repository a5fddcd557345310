#include "proxy/inject/pod.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "proxy/inject/options.hpp"

namespace onceproxy::inject {

using Tree = policies::JsonTree;
using Kind = Tree::Kind;
using Place = std::optional<Tree::Index>;

namespace {

constexpr std::array<std::string_view, 2> container_lists{"initContainers", "containers"};

std::optional<std::int64_t> integer(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Place Pod::member(Place object, std::string_view name) const {
  if (!object || tree_.kind(*object) != Kind::object) return std::nullopt;
  const Tree::Index* found = tree_.member(*object, name);
  if (found == nullptr || tree_.kind(*found) == Kind::null) return std::nullopt;
  return *found;
}

std::string_view Pod::text(Place value) const {
  return value && tree_.kind(*value) == Kind::string ? tree_.text(*value) : std::string_view();
}

Place Pod::spec(std::string_view name) const {
  return member(member(pod_, "spec"), name);
}

std::string_view Pod::metadata(std::string_view map, std::string_view name) const {
  return text(member(member(member(pod_, "metadata"), map), name));
}

std::string_view Pod::label(std::string_view name) const {
  return metadata("labels", name);
}

std::string_view Pod::annotation(std::string_view name) const {
  return metadata("annotations", name);
}

bool Pod::has_annotations() const {
  return member(member(pod_, "metadata"), "annotations").has_value();
}

std::string_view Pod::name() const {
  return text(member(member(pod_, "metadata"), "name"));
}

std::string_view Pod::generate_name() const {
  return text(member(member(pod_, "metadata"), "generateName"));
}

std::string_view Pod::name_space() const {
  return text(member(member(pod_, "metadata"), "namespace"));
}

std::string_view Pod::phase() const {
  return text(member(member(pod_, "status"), "phase"));
}

std::string_view Pod::operating_system() const {
  return text(member(spec("os"), "name"));
}

std::optional<std::int64_t> Pod::grace_period_seconds() const {
  const Place value = spec("terminationGracePeriodSeconds");
  if (!value || tree_.kind(*value) != Kind::number) return std::nullopt;
  return integer(tree_.text(*value));
}

bool Pod::any(Place list, const std::function<bool(Tree::Index)>& visit) const {
  if (!list || tree_.kind(*list) != Kind::array) return false;
  for (const Tree::Index item : tree_.children(*list)) {
    if (visit(item)) return true;
  }
  return false;
}

bool Pod::has_list(std::string_view name) const {
  return spec(name).has_value();
}

bool Pod::has_volume(std::string_view name) const {
  return any(spec("volumes"),
             [&](Tree::Index volume) { return text(member(volume, "name")) == name; });
}

bool Pod::has_claimed_volume(std::string_view name) const {
  return any(spec("volumes"), [&](Tree::Index volume) {
    return text(member(volume, "name")) == name &&
           (member(volume, "persistentVolumeClaim") || member(volume, "ephemeral"));
  });
}

bool Pod::has_volume_group() const {
  return member(spec("securityContext"), "fsGroup").has_value();
}

bool Pod::has_named_container() const {
  const auto is_it = [&](Tree::Index container) {
    return text(member(container, "name")) == container_name;
  };
  return std::ranges::any_of(container_lists,
                             [&](std::string_view list) { return any(spec(list), is_it); });
}

bool Pod::has_sidecar() const {
  const auto is_native = [&](Tree::Index container) {
    return text(member(container, "name")) == container_name &&
           text(member(container, "restartPolicy")) == "Always" && runs(container);
  };
  const auto is_ordinary = [&](Tree::Index container) {
    return text(member(container, "name")) == container_name && runs(container);
  };
  return any(spec("initContainers"), is_native) || any(spec("containers"), is_ordinary);
}

/// The image's own command is `run`.
bool Pod::runs(Tree::Index container) const {
  const auto is_run = [&](Tree::Index word) { return text(word) == "run"; };
  const Place command = member(container, "command");
  const Place arguments = member(container, "args");
  return (!command && !arguments) || any(command, is_run) || any(arguments, is_run);
}

std::string_view Pod::container_with_port(std::uint16_t port) const {
  std::string_view found;
  const auto declares = [&](Tree::Index container) {
    const bool has = any(member(container, "ports"), [&](Tree::Index one) {
      const Place number = member(one, "containerPort");
      return number && tree_.kind(*number) == Kind::number && integer(tree_.text(*number)) == port;
    });
    if (has) found = text(member(container, "name"));
    return has;
  };
  for (const std::string_view list : container_lists) {
    if (any(spec(list), declares)) break;
  }
  return found;
}

}  // namespace onceproxy::inject
