// JsonTree: a JSON document (RFC 8259) as a flat tree. Numbers stay as they are written. It is
// stricter than the RFC where parsers differ, so that two parsers cannot read one body differently:
// repeated member names (after decoding escapes) and invalid UTF-8 are errors. Nesting above
// `depth_max` and exponents beyond number.hpp's limit are errors too.
//
// A byte order mark before the document is skipped (RFC 8259 8.1). An escape of half a surrogate
// pair is accepted (8.2), because senders that cut off text write such escapes. Immutable and
// thread-safe once parsed. It contains views of the text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "policies/fault.hpp"

namespace onceproxy::policies {

/// Whether a reader of JSON may treat the text as a document: it begins with an object or an array
/// after white space and byte order marks. The additional bytes of UTF-16 and UTF-32, and white
/// space that only lenient readers skip, are skipped too.
bool begins_like_json(std::string_view text);

class JsonTree {
 public:
  /// The nesting of arrays and objects.
  static constexpr int depth_max = 64;

  /// A value's position in the tree; the root is 0.
  using Index = std::uint32_t;
  enum class Kind : std::uint8_t {
    null,
    boolean_false,
    boolean_true,
    number,
    string,
    array,
    object
  };

  /// `text` must outlive the tree. The fault is the first one.
  static tl::expected<std::unique_ptr<const JsonTree>, Fault> read(std::string_view text);
  /// The same; nullptr if `text` is not a JSON document.
  static std::unique_ptr<const JsonTree> parse(std::string_view text);

  Kind kind(Index value) const { return nodes_[value].kind; }
  /// string: without quotes and escapes; half a surrogate pair is three bytes, as its code point in
  /// UTF-8. number, true, false, null: as written.
  std::string_view text(Index scalar) const { return view(nodes_[scalar].at, nodes_[scalar].size); }
  /// number: whether it is written in canonical form.
  bool is_canonical(Index number) const { return nodes_[number].canonical; }
  /// array: in order. object: sorted by name as in RFC 8785 3.2.3.
  std::span<const Index> children(Index container) const {
    return {links_.data() + nodes_[container].at, nodes_[container].size};
  }
  /// The name of an object's member, without escapes.
  std::string_view name(Index member) const {
    return view(nodes_[member].name_at, nodes_[member].name_size);
  }
  /// A string or a member's name as it is written, with its quotes; empty if it contains an escape.
  /// Without an escape this is its canonical form, because all characters that must be escaped are
  /// invalid in JSON otherwise.
  std::string_view quoted(Index string) const {
    return quoted(nodes_[string].at, nodes_[string].size);
  }
  std::string_view quoted_name(Index member) const {
    return quoted(nodes_[member].name_at, nodes_[member].name_size);
  }
  /// A member as it is written, from its name to the end of its value, if this is its canonical
  /// form; otherwise empty, and also if the value is an array or an object.
  std::string_view verbatim(Index member) const {
    const Node& node = nodes_[member];
    const bool scalar = node.kind < Kind::number || node.kind == Kind::string ||
                        (node.kind == Kind::number && node.canonical);
    const std::uint32_t quote = node.kind == Kind::string ? 1 : 0;
    const bool escaped = node.name_at >= text_.size() || node.at >= text_.size();
    // Closing quote and colon.
    if (!scalar || escaped || node.at - quote != node.name_at + node.name_size + 2) return {};
    return text_.substr(node.name_at - 1, node.at + node.size + quote - node.name_at + 1);
  }
  /// The member of an object with that name, or nullptr.
  const Index* member(Index object, std::string_view name) const;

 private:
  friend class JsonReader;

  /// `at` and `size`: a part of the text or, for containers, of `links_`.
  struct Node {
    std::uint32_t name_at = 0;
    std::uint32_t name_size = 0;
    std::uint32_t at = 0;
    std::uint32_t size = 0;
    Kind kind = Kind::null;
    bool canonical = false;
  };

  explicit JsonTree(std::string_view text) : text_(text) {}

  /// Positions beyond the text are in `unescaped_`: most strings have no escapes and need no copy.
  std::string_view view(std::uint32_t at, std::uint32_t size) const {
    if (at < text_.size()) return text_.substr(at, size);
    return std::string_view(unescaped_).substr(at - text_.size(), size);
  }

  std::string_view quoted(std::uint32_t at, std::uint32_t size) const {
    return at < text_.size() ? text_.substr(at - 1, size + 2) : std::string_view();
  }

  std::string_view text_;
  std::string unescaped_;
  std::vector<Node> nodes_;
  std::vector<Index> links_;
};

}  // namespace onceproxy::policies
