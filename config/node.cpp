#include "config/node.hpp"

#include "config/text.hpp"

namespace onceproxy::config {

std::vector<Node> Node::items() const {
  std::vector<Node> out;
  out.reserve(value().items.size());
  for (const YamlItem& item : value().items) {
    out.emplace_back(*reading_, item, path_ + "[" + std::to_string(out.size()) + "]");
  }
  return out;
}

std::vector<Node::Entry> Node::entries() const {
  std::vector<Entry> out;
  out.reserve(value().entries.size());
  for (const YamlEntry& entry : value().entries) {
    const std::string path = path_.empty() ? entry.key : path_ + "." + entry.key;
    out.push_back({entry.key, entry.key_place, Node(*reading_, entry.item, path)});
  }
  return out;
}

std::optional<Node> Node::get(std::string_view key) const {
  for (Entry& entry : entries()) {
    if (entry.key == key) return std::move(entry.value);
  }
  return std::nullopt;
}

void Node::problem(std::string message) const {
  reading_->problem(item_.place, path_, std::move(message));
}

void Node::expected(std::string_view what) const {
  if (!is_broken()) problem("expected " + std::string(what) + ", found " + found());
}

std::string Node::found() const {
  switch (value().kind) {
    case YamlValue::Kind::nothing:
      return "nothing";
    case YamlValue::Kind::scalar:
      return quote(value().text);
    case YamlValue::Kind::list:
      return "a list";
    case YamlValue::Kind::map:
      return "a map";
  }
  return "";
}

}  // namespace onceproxy::config
