#include "policies/canonical.hpp"

#include "policies/ascii.hpp"
#include "policies/json_string.hpp"
#include "policies/number.hpp"

namespace onceproxy::policies {
namespace {

using Kind = JsonTree::Kind;

void append_number(const Selector& selector, std::string_view text, std::string& out) {
  if (!selector.round) return append_canonical_number(text, out);
  auto number = parse_decimal(text);
  if (!number) return;
  round_decimal(*number, *selector.round);
  append_decimal(*number, out);
}

/// `quoted` is the string as it is written, empty if that is not its canonical form.
void append_string(std::string_view quoted, std::string_view text, std::string& out) {
  if (quoted.empty()) return append_unescaped_json_string(text, out);
  out.append(quoted);
}

void append_string(const Selector& selector, std::string_view quoted, std::string_view text,
                   std::string& out) {
  if (!modifies_scalars(selector)) return append_string(quoted, text, out);
  std::string modified;
  append_modified_text(selector, text, modified);
  append_unescaped_json_string(modified, out);
}

}  // namespace

void append_modified_text(const Selector& selector, std::string_view text, std::string& out) {
  if (selector.trim) text = trimmed(text, " \t\r\n\v\f");
  if (selector.round && is_decimal(text)) return append_number(selector, text, out);
  if (!selector.lower) {
    out.append(text);
    return;
  }
  for (const char c : text) out += ascii_lower(c);
}

// Recursion is bounded: no tree is deeper than JsonTree::depth_max.
void append_canonical(const JsonTree& tree, JsonTree::Index value, const Selector& selector,
                      std::string& out) {
  switch (tree.kind(value)) {
    case Kind::null:
    case Kind::boolean_false:
    case Kind::boolean_true:
      out.append(tree.text(value));
      return;
    case Kind::number:
      if (tree.is_canonical(value) && !selector.round) {
        out.append(tree.text(value));
      } else {
        append_number(selector, tree.text(value), out);
      }
      return;
    case Kind::string:
      append_string(selector, tree.quoted(value), tree.text(value), out);
      return;
    case Kind::array: {
      out += '[';
      bool first = true;
      for (const JsonTree::Index element : tree.children(value)) {
        if (!first) out += ',';
        first = false;
        append_canonical(tree, element, selector, out);
      }
      out += ']';
      return;
    }
    case Kind::object: {
      const bool as_they_are = !modifies_scalars(selector);
      out += '{';
      bool first = true;
      for (const JsonTree::Index member : tree.children(value)) {
        if (!first) out += ',';
        first = false;
        const auto written = as_they_are ? tree.verbatim(member) : std::string_view();
        if (!written.empty()) {
          out.append(written);
          continue;
        }
        append_string(tree.quoted_name(member), tree.name(member), out);
        out += ':';
        append_canonical(tree, member, selector, out);
      }
      out += '}';
      return;
    }
  }
}

}  // namespace onceproxy::policies
