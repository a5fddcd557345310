#include "policies/json.hpp"

#include <simdjson.h>

#include <algorithm>

#include "policies/ascii.hpp"
#include "policies/json_string.hpp"
#include "policies/number.hpp"

namespace onceproxy::policies {
namespace {

constexpr std::string_view json_space = " \t\n\r";
/// Offsets are 32 bits wide, and unescaped text is numbered after the text itself.
constexpr std::size_t text_bytes_max = 0x7FFFFFFF;

constexpr bool is_space(char c) {
  // One comparison for nearly all that is none.
  return c <= ' ' && (c == ' ' || c == '\t' || c == '\n' || c == '\r');
}

constexpr bool is_of_number(char c) {
  return is_digit(c) || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E';
}

}  // namespace

/// Reads a document of valid UTF-8 from its front to its end and builds its tree.
class JsonReader {
 public:
  using Index = JsonTree::Index;
  using Kind = JsonTree::Kind;

  explicit JsonReader(JsonTree& tree) : tree_(tree), text_(tree.text_) {
    const std::size_t guess = text_.size() / 12 + 8;
    tree.nodes_.reserve(guess);
    tree.links_.reserve(guess);
    open_.reserve(std::min(guess, std::size_t{64}));
  }

  bool read() {
    tree_.nodes_.emplace_back();
    return read_value(0, 0) && at_ == text_.size();
  }

 private:
  /// A value that belongs to a container which is not closed yet.
  struct Open {
    Index index;
    /// The beginning of its name, by which most names are told apart.
    std::uint64_t prefix;
  };

  /// What comes next that is no white space; NUL, which begins nothing, at the end.
  char next() {
    while (at_ < text_.size() && is_space(text_[at_])) ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }

  bool take(char c) {
    if (next() != c) return false;
    ++at_;
    return true;
  }

  /// Recursion is bounded by depth_max.
  bool read_value(Index self, int depth) {
    switch (next()) {
      case '{':
        return depth < JsonTree::depth_max && read_object(self, depth + 1);
      case '[':
        return depth < JsonTree::depth_max && read_array(self, depth + 1);
      case '"':
        tree_.nodes_[self].kind = Kind::string;
        return read_string(tree_.nodes_[self].at, tree_.nodes_[self].size);
      case 't':
        return read_literal(self, Kind::boolean_true, "true");
      case 'f':
        return read_literal(self, Kind::boolean_false, "false");
      case 'n':
        return read_literal(self, Kind::null, "null");
      default:
        return read_number(self);
    }
  }

  bool read_array(Index self, int depth) {
    ++at_;
    const std::size_t first = open_.size();
    if (!take(']')) {
      do {
        if (!read_value(add(), depth)) return false;
      } while (take(','));
      if (!take(']')) return false;
    }
    close(self, Kind::array, first);
    return true;
  }

  bool read_object(Index self, int depth) {
    ++at_;
    const std::size_t first = open_.size();
    if (!take('}')) {
      do {
        if (!read_member(depth)) return false;
      } while (take(','));
      if (!take('}') || !sort_members(first)) return false;
    }
    close(self, Kind::object, first);
    return true;
  }

  bool read_member(int depth) {
    if (next() != '"') return false;
    const Index member = add();
    JsonTree::Node& node = tree_.nodes_[member];
    if (!read_string(node.name_at, node.name_size) || !take(':')) return false;
    open_.back().prefix = utf16_prefix(tree_.name(member));
    return read_value(member, depth);
  }

  /// Sorts the members that are open from `first` on; false when two have one name.
  bool sort_members(std::size_t first) {
    const auto begin = open_.begin() + static_cast<std::ptrdiff_t>(first);
    std::sort(begin, open_.end(), [&](const Open& a, const Open& b) {
      if (a.prefix != b.prefix) return a.prefix < b.prefix;
      return utf16_less(tree_.name(a.index), tree_.name(b.index));
    });
    return std::adjacent_find(begin, open_.end(), [&](const Open& a, const Open& b) {
             return a.prefix == b.prefix && tree_.name(a.index) == tree_.name(b.index);
           }) == open_.end();
  }

  Index add() {
    const auto index = static_cast<Index>(tree_.nodes_.size());
    tree_.nodes_.emplace_back();
    open_.push_back({index, 0});
    return index;
  }

  /// Hands the open values from `first` on to their container.
  void close(Index self, Kind kind, std::size_t first) {
    JsonTree::Node& node = tree_.nodes_[self];
    node.kind = kind;
    node.at = static_cast<std::uint32_t>(tree_.links_.size());
    node.size = static_cast<std::uint32_t>(open_.size() - first);
    for (std::size_t i = first; i < open_.size(); ++i) tree_.links_.push_back(open_[i].index);
    open_.resize(first);
  }

  /// What was read since `from`.
  void set(Index self, Kind kind, std::size_t from) {
    JsonTree::Node& node = tree_.nodes_[self];
    node.kind = kind;
    node.at = static_cast<std::uint32_t>(from);
    node.size = static_cast<std::uint32_t>(at_ - from);
  }

  bool read_literal(Index self, Kind kind, std::string_view word) {
    const std::size_t from = at_;
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    set(self, kind, from);
    return true;
  }

  bool read_number(Index self) {
    const std::size_t from = at_;
    while (at_ < text_.size() && is_of_number(text_[at_])) ++at_;
    const Notation written = notation(text_.substr(from, at_ - from));
    set(self, Kind::number, from);
    tree_.nodes_[self].canonical = written == Notation::canonical;
    return written != Notation::none;
  }

  /// From the opening quote to behind the closing one.
  bool read_string(std::uint32_t& at, std::uint32_t& size) {
    const std::size_t from = ++at_;
    bool escaped = false;
    for (;;) {
      at_ += first_to_escape(text_.substr(at_));
      if (at_ >= text_.size()) return false;
      if (text_[at_] == '"') break;
      if (text_[at_] != '\\' || at_ + 2 > text_.size()) return false;
      escaped = true;
      at_ += 2;
    }
    const std::string_view raw = text_.substr(from, at_ - from);
    ++at_;
    if (escaped) return unescape(raw, at, size);
    at = static_cast<std::uint32_t>(from);
    size = static_cast<std::uint32_t>(raw.size());
    return true;
  }

  bool unescape(std::string_view raw, std::uint32_t& at, std::uint32_t& size) {
    const std::size_t before = tree_.unescaped_.size();
    if (!append_unescaped(raw, tree_.unescaped_)) return false;
    at = static_cast<std::uint32_t>(text_.size() + before);
    size = static_cast<std::uint32_t>(tree_.unescaped_.size() - before);
    return true;
  }

  JsonTree& tree_;
  const std::string_view text_;
  std::size_t at_ = 0;
  std::vector<Open> open_;
};

std::unique_ptr<const JsonTree> JsonTree::parse(std::string_view text) {
  text = trimmed(text, json_space);
  if (text.empty() || text.size() > text_bytes_max) return nullptr;
  if (!simdjson::validate_utf8(text.data(), text.size())) return nullptr;
  std::unique_ptr<JsonTree> tree(new JsonTree(text));
  if (!JsonReader(*tree).read()) return nullptr;
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
