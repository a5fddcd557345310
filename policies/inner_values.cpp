#include "policies/inner_values.hpp"

#include <algorithm>
#include <vector>

#include "policies/canonical.hpp"
#include "policies/decode.hpp"
#include "policies/json_string.hpp"
#include "policies/number.hpp"
#include "policies/percent.hpp"
#include "policies/pointer.hpp"

namespace onceproxy::policies {
namespace {

using Index = JsonTree::Index;
using Kind = JsonTree::Kind;
using Pointer = std::span<const std::string>;

constexpr std::optional<ValueType> not_there = std::nullopt;

/// Where a value comes from says which modifiers are still to come.
enum class Origin {
  document,  ///< the selected document: all
  text,      ///< a text: all but `take`
  inner,     ///< JSON in a text: `capture` and those behind it
  fallback,  ///< a default: those behind `capture`
};

/// Elements of an array, as a set if they are to be one.
void append_array(std::vector<std::string>& elements, bool as_set, std::string& out) {
  if (as_set) {
    std::sort(elements.begin(), elements.end());
    elements.erase(std::unique(elements.begin(), elements.end()), elements.end());
  }
  out += '[';
  for (std::size_t i = 0; i < elements.size(); ++i) {
    if (i != 0) out += ',';
    out += elements[i];
  }
  out += ']';
}

tl::unexpected<SelectError> unreadable(std::string detail) {
  return tl::unexpected(SelectError{SelectError::Kind::unreadable, std::move(detail)});
}

/// Applies one selector's modifiers. A struct only so that the functions, which call each other,
/// need not hand the selector round.
struct Modifying {
  const Selector& selector;

  Found pointed(const JsonTree& tree, Index from, Pointer pointer, Origin origin, bool sorts,
                std::string& out) const;
  Found text(std::string_view text, Origin origin, bool sorts, std::string& out) const;

 private:
  bool steps_follow(Origin origin) const {
    if (origin == Origin::fallback) return false;
    return origin == Origin::inner ? selector.capture != nullptr : looks_inside(selector);
  }
  bool takes(Origin origin) const { return origin == Origin::document && !selector.take.empty(); }

  Found value(const JsonTree& tree, Index value, Origin origin, bool sorts, std::string& out) const;
  Found element(const JsonTree& tree, Index value, Origin origin, std::string& out) const;
  Found taken(const JsonTree& tree, Index value, std::string& out) const;
  Found every(const JsonTree& tree, Index from, Pointer pointer, Origin origin,
              std::string& out) const;
  Found set(const JsonTree& tree, Index array, Pointer rest, Origin origin, std::string& out) const;
  Found inner_json(std::string_view text, bool sorts, std::string& out) const;
  Found captured(std::string_view text, std::string& out) const;
};

/// What a pointer names: with `*` an array, as a set if `sorts`.
Found Modifying::pointed(const JsonTree& tree, Index from, Pointer pointer, Origin origin,
                         bool sorts, std::string& out) const {
  const auto star = std::find(pointer.begin(), pointer.end(), "*");
  if (star != pointer.end() && !sorts) return every(tree, from, pointer, origin, out);
  const auto before = static_cast<std::size_t>(star - pointer.begin());
  const auto found = resolve(tree, from, pointer.first(before));
  if (!found) return not_there;
  if (star == pointer.end()) return value(tree, *found, origin, sorts, out);
  return set(tree, *found, pointer.subspan(before + 1), origin, out);
}

/// A value as the field's own: a string is text.
Found Modifying::value(const JsonTree& tree, Index value, Origin origin, bool sorts,
                       std::string& out) const {
  if (takes(origin)) return taken(tree, value, out);
  const Kind kind = tree.kind(value);
  if (kind == Kind::string) return text(tree.text(value), origin, sorts, out);
  if (!steps_follow(origin)) {
    if (sorts && kind == Kind::array) return set(tree, value, {}, origin, out);
    append_canonical(tree, value, selector, out);
    return ValueType::json;
  }
  const bool only_captured =
      origin == Origin::inner || (selector.decode == Decode::none && !selector.json);
  if (kind != Kind::number || !only_captured) return not_there;
  std::string number;
  append_canonical_number(tree.text(value), number);
  return captured(number, out);
}

/// A value as a part of an array: in canonical form, strings in quotes.
Found Modifying::element(const JsonTree& tree, Index value, Origin origin, std::string& out) const {
  if (takes(origin)) return taken(tree, value, out);
  if (!steps_follow(origin)) {
    append_canonical(tree, value, selector, out);
    return ValueType::json;
  }
  std::string alone;
  const Found found = this->value(tree, value, origin, false, alone);
  if (!found || !*found) return found;
  if (**found == ValueType::json) {
    out.append(alone);
  } else {
    append_unescaped_json_string(alone, out);
  }
  return ValueType::json;
}

/// The fields that `take` names, of one value: an array in the order of `take`.
Found Modifying::taken(const JsonTree& tree, Index value, std::string& out) const {
  out += '[';
  for (std::size_t i = 0; i < selector.take.size(); ++i) {
    if (i != 0) out += ',';
    const Found found = every(tree, value, selector.take[i], Origin::text, out);
    if (!found || !*found) return found;
  }
  out += ']';
  return ValueType::json;
}

/// An array of what the rest of the pointer names in each element, so that `*` twice yields arrays
/// in an array. Not there if it meets something other than an array, or an element that lacks
/// the rest: leaving one out would make requests equal that are not.
Found Modifying::every(const JsonTree& tree, Index from, Pointer pointer, Origin origin,
                       std::string& out) const {
  const auto star = std::find(pointer.begin(), pointer.end(), "*");
  const auto before = static_cast<std::size_t>(star - pointer.begin());
  const auto found = resolve(tree, from, pointer.first(before));
  if (!found) return not_there;
  if (star == pointer.end()) return element(tree, *found, origin, out);
  if (tree.kind(*found) != Kind::array) return not_there;
  out += '[';
  bool first = true;
  for (const Index child : tree.children(*found)) {
    if (!first) out += ',';
    first = false;
    const Found one = every(tree, child, pointer.subspan(before + 1), origin, out);
    if (!one || !*one) return one;
  }
  out += ']';
  return ValueType::json;
}

/// What `rest` names in the elements of an array, each once.
Found Modifying::set(const JsonTree& tree, Index array, Pointer rest, Origin origin,
                     std::string& out) const {
  if (tree.kind(array) != Kind::array) return not_there;
  std::vector<std::string> elements;
  for (const Index child : tree.children(array)) {
    const Found one = every(tree, child, rest, origin, elements.emplace_back());
    if (!one || !*one) return one;
  }
  append_array(elements, true, out);
  return ValueType::json;
}

Found Modifying::text(std::string_view text, Origin origin, bool sorts, std::string& out) const {
  if (origin == Origin::fallback) {
    append_modified_text(selector, text, out);
    return ValueType::text;
  }
  if (origin == Origin::inner) return captured(text, out);
  std::string decoded;
  if (selector.decode == Decode::base64) {
    auto bytes = decode_base64(text);
    if (!bytes) {
      return unreadable("The text of `" + selector.text + "` is not base64 at byte " +
                        std::to_string(bytes.error()) + ".");
    }
    decoded = *std::move(bytes);
    text = decoded;
  } else if (selector.decode == Decode::percent) {
    decoded = decode_percent(text);
    text = decoded;
  }
  return selector.json ? inner_json(text, sorts, out) : captured(text, out);
}

Found Modifying::inner_json(std::string_view text, bool sorts, std::string& out) const {
  const auto tree = JsonTree::read(text);
  if (tree) return pointed(**tree, 0, *selector.json, Origin::inner, sorts, out);
  if (!begins_like_json(text)) return not_there;
  return unreadable("The JSON in the text of `" + selector.text +
                    "` is not valid: " + std::string(tree.error().what) + " at byte " +
                    std::to_string(tree.error().at) + ".");
}

/// The modifiers from `capture` on, of which none but `capture` can fail.
Found Modifying::captured(std::string_view text, std::string& out) const {
  if (selector.capture) {
    re2::StringPiece group;
    if (!re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), *selector.capture,
                                &group) ||
        group.data() == nullptr) {
      return not_there;
    }
    text = {group.data(), group.size()};
  }
  append_modified_text(selector, text, out);
  return ValueType::text;
}

}  // namespace

Found append_member(const Selector& selector, const JsonTree& tree, std::string& out) {
  return Modifying{selector}.pointed(tree, 0, selector.pointer, Origin::document, selector.sort,
                                     out);
}

Found append_text(const Selector& selector, std::string_view text, std::string& out) {
  return Modifying{selector}.text(text, Origin::text, selector.sort, out);
}

Found append_default(const Selector& selector, std::string_view text, std::string& out) {
  const Modifying modifying{selector};
  if ((selector.source == Source::body || selector.json) && !selector.capture) {
    if (const auto tree = JsonTree::parse(text)) {
      return modifying.pointed(*tree, 0, {}, Origin::fallback, selector.sort, out);
    }
  }
  return modifying.text(text, Origin::fallback, false, out);
}

Found append_texts(const Selector& selector, std::span<const std::string> texts, std::string& out) {
  if (texts.empty()) return not_there;
  if (texts.size() == 1) return append_text(selector, texts.front(), out);
  std::vector<std::string> elements;
  for (const std::string& text : texts) {
    std::string alone;
    const Found found = Modifying{selector}.text(text, Origin::text, false, alone);
    if (!found || !*found) return found;
    std::string& element = elements.emplace_back();
    if (**found == ValueType::json) {
      element = std::move(alone);
    } else {
      append_json_string(alone, element);
    }
  }
  append_array(elements, selector.sort, out);
  return ValueType::json;
}

}  // namespace onceproxy::policies
