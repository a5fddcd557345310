#include "policies/json.hpp"

#include <simdjson.h>

#include <algorithm>

#include "policies/ascii.hpp"
#include "policies/first_character.hpp"
#include "policies/json_string.hpp"
#include "policies/number.hpp"

namespace onceproxy::policies {
namespace {

constexpr std::string_view json_space = " \t\n\r";
constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
/// Offsets are 32 bits wide, and unescaped text is numbered after the text itself.
constexpr std::size_t text_bytes_max = 0x7FFFFFFF;

constexpr bool is_space(char c) {
  // One comparison for nearly all that is none.
  return c <= ' ' && (c == ' ' || c == '\t' || c == '\n' || c == '\r');
}

/// How many bytes at the front of a text that is not UTF-8 are UTF-8. For messages.
std::size_t valid_prefix(std::string_view text) {
  constexpr std::size_t piece_bytes = 4096;
  const auto continues = [&](std::size_t at) { return (text[at] & 0xC0) == 0x80; };
  const auto character_end = [&](std::size_t end) {
    while (end < text.size() && continues(end)) ++end;
    return std::min(end, text.size());
  };
  std::size_t at = 0;
  for (const std::size_t step : {piece_bytes, std::size_t{1}}) {
    while (at < text.size()) {
      const std::size_t end = character_end(at + step);
      if (!simdjson::validate_utf8(text.data() + at, end - at)) break;
      at = end;
    }
  }
  return at;
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
    if (!read_value(0, 0)) return false;
    if (at_ == text_.size()) return true;
    next();
    return fail("something follows the document");
  }

  /// Where in the text the reader stopped, and why.
  const Fault& fault() const { return fault_; }

 private:
  /// A value that belongs to a container which is not closed yet.
  struct Open {
    Index index;
    /// Where its name is written.
    std::uint32_t name_at;
    /// The beginning of its name, which distinguishes most names.
    std::uint64_t prefix;
  };

  // Out of line, so that what reads a document that is valid stays small.
  [[gnu::cold, gnu::noinline]] bool fail_at(std::size_t at, std::string_view what) {
    fault_ = {at, what};
    return false;
  }
  [[gnu::cold, gnu::noinline]] bool fail(std::string_view what) {
    return fail_at(at_, at_ < text_.size() ? what : "the document ends too early");
  }

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
      case '[':
        if (depth == JsonTree::depth_max) return fail("arrays and objects are nested too deeply");
        return text_[at_] == '{' ? read_object(self, depth + 1) : read_array(self, depth + 1);
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
      if (!take(']')) return fail("a comma or ] is missing");
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
      if (!take('}')) return fail("a comma or } is missing");
      if (!sort_members(first)) return false;
    }
    close(self, Kind::object, first);
    return true;
  }

  bool read_member(int depth) {
    if (next() != '"') return fail("a member has no name in quotes");
    const auto name_at = static_cast<std::uint32_t>(at_);
    const Index member = add();
    JsonTree::Node& node = tree_.nodes_[member];
    if (!read_string(node.name_at, node.name_size)) return false;
    if (!take(':')) return fail("a colon is missing");
    open_.back().name_at = name_at;
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
    const auto twice = std::adjacent_find(begin, open_.end(), [&](const Open& a, const Open& b) {
      return a.prefix == b.prefix && tree_.name(a.index) == tree_.name(b.index);
    });
    if (twice == open_.end()) return true;
    return fail_at(std::max(twice->name_at, (twice + 1)->name_at), "a member name is repeated");
  }

  Index add() {
    const auto index = static_cast<Index>(tree_.nodes_.size());
    tree_.nodes_.emplace_back();
    open_.push_back({index, 0, 0});
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
    if (text_.substr(at_, word.size()) != word) return fail("a JSON value is missing");
    at_ += word.size();
    set(self, kind, from);
    return true;
  }

  bool read_number(Index self) {
    const std::size_t from = at_;
    while (at_ < text_.size() && is_of_number(text_[at_])) ++at_;
    if (at_ == from) return fail("a JSON value is missing");
    const Notation written = notation(text_.substr(from, at_ - from));
    set(self, Kind::number, from);
    tree_.nodes_[self].canonical = written == Notation::canonical;
    return written != Notation::none || fail_at(from, "a number is malformed");
  }

  /// From the opening quote to behind the closing one.
  bool read_string(std::uint32_t& at, std::uint32_t& size) {
    const std::size_t from = ++at_;
    bool escaped = false;
    for (;;) {
      at_ += first_to_escape(text_.substr(at_));
      if (at_ >= text_.size()) return fail("");
      if (text_[at_] == '"') break;
      if (text_[at_] != '\\') return fail("a string holds a control character");
      if (at_ + 2 > text_.size()) return fail_at(text_.size(), "the document ends too early");
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
    if (!append_unescaped(raw, tree_.unescaped_)) {
      return fail_at(static_cast<std::size_t>(raw.data() - text_.data()),
                     "a string holds an invalid escape");
    }
    at = static_cast<std::uint32_t>(text_.size() + before);
    size = static_cast<std::uint32_t>(tree_.unescaped_.size() - before);
    return true;
  }

  JsonTree& tree_;
  const std::string_view text_;
  std::size_t at_ = 0;
  std::vector<Open> open_;
  Fault fault_;
};

bool begins_like_json(std::string_view text) {
  const char first = first_character(text);
  return first == '{' || first == '[';
}

tl::expected<std::unique_ptr<const JsonTree>, Fault> JsonTree::read(std::string_view text) {
  const char* const begin = text.data();
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  text = trimmed(text, json_space);
  if (text.empty()) return tl::unexpected(Fault{0, "a JSON value is missing"});
  const auto before = static_cast<std::size_t>(text.data() - begin);
  if (text.size() > text_bytes_max) {
    return tl::unexpected(Fault{before + text_bytes_max, "the document is too large"});
  }
  if (!simdjson::validate_utf8(text.data(), text.size())) {
    return tl::unexpected(Fault{before + valid_prefix(text), "this is not UTF-8"});
  }
  std::unique_ptr<JsonTree> tree(new JsonTree(text));
  JsonReader reader(*tree);
  if (!reader.read()) {
    return tl::unexpected(Fault{before + reader.fault().at, reader.fault().what});
  }
  return tree;
}

std::unique_ptr<const JsonTree> JsonTree::parse(std::string_view text) {
  auto tree = read(text);
  return tree ? *std::move(tree) : nullptr;
}

const JsonTree::Index* JsonTree::member(Index object, std::string_view name) const {
  const auto members = children(object);
  const auto found =
      std::lower_bound(members.begin(), members.end(), name,
                       [&](Index a, std::string_view b) { return utf16_less(this->name(a), b); });
  return found != members.end() && this->name(*found) == name ? &*found : nullptr;
}

}  // namespace onceproxy::policies
