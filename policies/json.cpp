#include "policies/json.hpp"

#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "policies/ascii.hpp"
#include "policies/json_string.hpp"
#include "policies/number.hpp"

namespace onceproxy::policies {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr std::string_view json_space = " \t\n\r";
/// Offsets are 32 bits wide, and unescaped text is numbered after the text itself.
constexpr std::size_t text_bytes_max = 0x7FFFFFFF;
/// Up to here a thread keeps its buffers for the next body; larger ones get their own.
constexpr std::size_t reusable_bytes_max = std::size_t{64} * 1024;

/// What it takes to read one document: a parser, a copy of the text with the padding that simdjson
/// asks for, and a stack.
struct Workspace {
  ondemand::parser parser;
  std::vector<char> padded;
  /// Children of the containers that are not closed yet.
  std::vector<JsonTree::Index> open;

  simdjson::padded_string_view copy(std::string_view text) {
    open.clear();
    const std::size_t capacity = text.size() + simdjson::SIMDJSON_PADDING;
    if (padded.size() < capacity) padded.resize(capacity);
    text.copy(padded.data(), text.size());
    std::memset(padded.data() + text.size(), 0, simdjson::SIMDJSON_PADDING);
    return simdjson::padded_string_view(padded.data(), text.size(), padded.size());
  }
};

/// Where a JSON string ends: the length up to its closing quote, and whether it has escapes.
struct Extent {
  std::size_t size;
  bool escaped;
};

std::optional<Extent> string_extent(std::string_view from_first) {
  Extent extent{0, false};
  for (;;) {
    extent.size += first_to_escape(from_first.substr(extent.size));
    if (extent.size >= from_first.size()) return std::nullopt;
    if (from_first[extent.size] == '"') return extent;
    if (from_first[extent.size] != '\\') return std::nullopt;
    extent.escaped = true;
    extent.size += 2;
    if (extent.size > from_first.size()) return std::nullopt;
  }
}

}  // namespace

/// Walks a document and builds its tree. simdjson finds the tokens, checks UTF-8 and refuses
/// control characters; what a token holds is checked here.
class JsonReader {
 public:
  using Index = JsonTree::Index;
  using Kind = JsonTree::Kind;

  JsonReader(JsonTree& tree, Workspace& workspace)
      : tree_(tree), workspace_(workspace), open_(workspace.open) {
    const std::size_t guess = tree.text_.size() / 12 + 8;
    tree.nodes_.reserve(guess);
    tree.links_.reserve(guess);
  }

  bool read() {
    const auto padded = workspace_.copy(tree_.text_);
    base_ = workspace_.padded.data();
    ondemand::document document;
    if (workspace_.parser.iterate(padded).get(document) != simdjson::SUCCESS) return false;
    tree_.nodes_.emplace_back();
    if (document.type().error() != simdjson::SUCCESS) return false;
    bool good = false;
    if (tree_.text_[0] == '{') {
      ondemand::object object;
      good = document.get_object().get(object) == simdjson::SUCCESS && read_object(0, object, 1);
    } else {
      ondemand::array array;
      good = document.get_array().get(array) == simdjson::SUCCESS && read_array(0, array, 1);
    }
    // Beyond the last token there is no location.
    return good && document.current_location().error() == simdjson::OUT_OF_BOUNDS;
  }

  /// A document that is a single string, number or literal.
  bool read_scalar_document() {
    const std::string_view text = tree_.text_;
    tree_.nodes_.emplace_back();
    if (text.front() != '"') return set_scalar(0, text, 0);
    const auto extent = string_extent(text.substr(1));
    if (!extent || extent->size + 2 != text.size()) return false;
    return simdjson::validate_utf8(text.data(), text.size()) && set_string(0, 1, *extent);
  }

 private:
  bool read_value(Index self, ondemand::value value, int depth) {
    ondemand::json_type type;
    if (value.type().get(type) != simdjson::SUCCESS) return false;
    switch (type) {
      case ondemand::json_type::array: {
        ondemand::array array;
        return value.get_array().get(array) == simdjson::SUCCESS &&
               read_array(self, array, depth + 1);
      }
      case ondemand::json_type::object: {
        ondemand::object object;
        return value.get_object().get(object) == simdjson::SUCCESS &&
               read_object(self, object, depth + 1);
      }
      case ondemand::json_type::string: {
        ondemand::raw_json_string raw;
        if (value.get_raw_json_string().get(raw) != simdjson::SUCCESS) return false;
        const std::size_t at = offset(raw.raw());
        const auto extent = string_extent(tree_.text_.substr(at));
        return extent && set_string(self, at, *extent);
      }
      default: {
        const std::string_view token = value.raw_json_token();
        return set_scalar(self, trimmed(token, json_space), offset(token.data()));
      }
    }
  }

  bool read_array(Index self, ondemand::array array, int depth) {
    if (depth > JsonTree::depth_max) return false;
    const std::size_t first = open_.size();
    for (auto element : array) {
      ondemand::value value;
      if (element.get(value) != simdjson::SUCCESS || !read_value(add(), value, depth)) return false;
    }
    close(self, Kind::array, first);
    return true;
  }

  bool read_object(Index self, ondemand::object object, int depth) {
    if (depth > JsonTree::depth_max) return false;
    const std::size_t first = open_.size();
    for (auto member : object) {
      ondemand::field field;
      if (std::move(member).get(field) != simdjson::SUCCESS) return false;
      const Index child = add();
      if (!set_name(child, offset(field.key().raw()))) return false;
      if (!read_value(child, field.value(), depth)) return false;
    }
    return sort_members(first) && (close(self, Kind::object, first), true);
  }

  /// Sorts the members that are open from `first` on; false when two have one name.
  bool sort_members(std::size_t first) {
    const auto begin = open_.begin() + static_cast<std::ptrdiff_t>(first);
    std::sort(begin, open_.end(),
              [&](Index a, Index b) { return utf16_less(tree_.name(a), tree_.name(b)); });
    return std::adjacent_find(begin, open_.end(), [&](Index a, Index b) {
             return tree_.name(a) == tree_.name(b);
           }) == open_.end();
  }

  Index add() {
    const auto index = static_cast<Index>(tree_.nodes_.size());
    tree_.nodes_.emplace_back();
    open_.push_back(index);
    return index;
  }

  /// Hands the open values from `first` on to their container.
  void close(Index self, Kind kind, std::size_t first) {
    JsonTree::Node& node = tree_.nodes_[self];
    node.kind = kind;
    node.at = static_cast<std::uint32_t>(tree_.links_.size());
    node.size = static_cast<std::uint32_t>(open_.size() - first);
    tree_.links_.insert(tree_.links_.end(), open_.begin() + static_cast<std::ptrdiff_t>(first),
                        open_.end());
    open_.resize(first);
  }

  bool set_scalar(Index self, std::string_view token, std::size_t at) {
    JsonTree::Node& node = tree_.nodes_[self];
    node.at = static_cast<std::uint32_t>(at);
    node.size = static_cast<std::uint32_t>(token.size());
    if (token == "null") {
      node.kind = Kind::null;
    } else if (token == "true") {
      node.kind = Kind::boolean_true;
    } else if (token == "false") {
      node.kind = Kind::boolean_false;
    } else {
      const Notation written = notation(token);
      node.kind = Kind::number;
      node.canonical = written == Notation::canonical;
      return written != Notation::none;
    }
    return true;
  }

  bool set_string(Index self, std::size_t at, Extent extent) {
    JsonTree::Node& node = tree_.nodes_[self];
    node.kind = Kind::string;
    return set_text(at, extent, node.at, node.size);
  }

  bool set_name(Index self, std::size_t at) {
    const auto extent = string_extent(tree_.text_.substr(at));
    JsonTree::Node& node = tree_.nodes_[self];
    return extent && set_text(at, *extent, node.name_at, node.name_size);
  }

  bool set_text(std::size_t at, Extent extent, std::uint32_t& to_at, std::uint32_t& to_size) {
    std::size_t size = extent.size;
    if (extent.escaped) {
      const std::size_t before = tree_.unescaped_.size();
      if (!append_unescaped(tree_.text_.substr(at, extent.size), tree_.unescaped_)) return false;
      at = tree_.text_.size() + before;
      size = tree_.unescaped_.size() - before;
    }
    to_at = static_cast<std::uint32_t>(at);
    to_size = static_cast<std::uint32_t>(size);
    return true;
  }

  std::size_t offset(const char* in_padded) const {
    return static_cast<std::size_t>(in_padded - base_);
  }

  JsonTree& tree_;
  Workspace& workspace_;
  std::vector<Index>& open_;
  const char* base_ = nullptr;
};

std::unique_ptr<const JsonTree> JsonTree::parse(std::string_view text) {
  text = trimmed(text, json_space);
  if (text.empty() || text.size() > text_bytes_max) return nullptr;
  std::unique_ptr<JsonTree> tree(new JsonTree(text));
  const auto read = [&](Workspace& workspace) {
    JsonReader reader(*tree, workspace);
    const bool container = text.front() == '{' || text.front() == '[';
    return container ? reader.read() : reader.read_scalar_document();
  };
  bool good = false;
  if (text.size() <= reusable_bytes_max) {
    thread_local Workspace kept;
    good = read(kept);
  } else {
    Workspace own;
    good = read(own);
  }
  if (!good) return nullptr;
  return tree;
}

const JsonTree::Index* JsonTree::member(Index object, std::string_view name) const {
  const auto members = children(object);
  const auto found =
      std::lower_bound(members.begin(), members.end(), name,
                       [&](Index a, std::string_view b) { return utf16_less(this->name(a), b); });
  return found != members.end() && this->name(*found) == name ? &*found : nullptr;
}

}  // namespace onceproxy::policies
