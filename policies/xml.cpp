#include "policies/xml.hpp"

#include <algorithm>
#include <optional>
#include <pugixml.hpp>

#include "policies/xpath_rules.hpp"

namespace onceproxy::policies {
namespace {

/// pugixml reads from names and values what XML says, and never a file. A declaration of document
/// type is made a node only to be found.
constexpr unsigned parse_flags = pugi::parse_default | pugi::parse_doctype;

std::string_view words(pugi::xml_parse_status status) {
  switch (status) {
    case pugi::status_bad_doctype:
      return "a document type declaration is malformed";
    case pugi::status_bad_comment:
      return "a comment does not end";
    case pugi::status_bad_cdata:
      return "a CDATA section does not end";
    case pugi::status_bad_pi:
      return "a processing instruction is malformed";
    case pugi::status_bad_attribute:
      return "an attribute is malformed";
    case pugi::status_end_element_mismatch:
      return "the tags do not match";
    case pugi::status_no_document_element:
      return "there is no element";
    default:
      return "a tag is malformed";
  }
}

/// How wide a character is at least, in bytes: by its byte order mark, or by its first '<'.
std::size_t unit_of(std::string_view text) {
  using namespace std::string_view_literals;
  for (const std::string_view wide :
       {"\0\0\xFE\xFF"sv, "\xFF\xFE\0\0"sv, "\0\0\0<"sv, "<\0\0\0"sv}) {
    if (text.starts_with(wide)) return 4;
  }
  for (const std::string_view wide : {"\xFE\xFF"sv, "\xFF\xFE"sv, "\0<"sv, "<\0"sv}) {
    if (text.starts_with(wide)) return 2;
  }
  return 1;
}

/// The place of a character NUL, at which pugixml would take the document for ended.
std::optional<std::size_t> find_nul(std::string_view text) {
  const std::size_t unit = unit_of(text);
  for (std::size_t at = 0; at + unit <= text.size(); at += unit) {
    if (text.substr(at, unit).find_first_not_of('\0') == std::string_view::npos) return at;
  }
  return std::nullopt;
}

bool has_too_many_marks(std::string_view text) {
  const auto marks = std::ranges::count(text, '<') + std::ranges::count(text, '=');
  return static_cast<std::size_t>(marks) > XmlTree::marks_max;
}

/// Takes the prefix off the name of an element or an attribute.
template <typename Named>
void strip_prefix(Named named) {
  const std::string_view name = named.name();
  const std::size_t colon = name.find(':');
  if (colon == std::string_view::npos) return;
  // A copy, because pugixml writes the new name over the old one.
  const std::string local(name.substr(colon + 1));
  named.set_name(local.c_str());
}

struct NamedAttribute {
  std::string_view local;
  bool prefixed;
  pugi::xml_attribute attribute;
};

/// Without declarations of namespaces, which are no attributes to XPath as long as they keep their
/// names.
std::vector<NamedAttribute> attributes_of(pugi::xml_node element) {
  std::vector<NamedAttribute> out;
  for (const pugi::xml_attribute attribute : element.attributes()) {
    const std::string_view name = attribute.name();
    if (name == "xmlns" || name.starts_with("xmlns:")) continue;
    const std::size_t colon = name.find(':');
    const bool prefixed = colon != std::string_view::npos;
    out.push_back({prefixed ? name.substr(colon + 1) : name, prefixed, attribute});
  }
  return out;
}

/// Of several attributes with the same local name, the one without a prefix gets the name. If all
/// have prefixes it is not known which one is meant, and they keep their prefixes. False if an
/// attribute is repeated.
bool strip_attributes(pugi::xml_node element) {
  std::vector<NamedAttribute> all = attributes_of(element);
  std::ranges::stable_sort(
      all, {}, [](const NamedAttribute& one) { return std::pair(one.local, one.prefixed); });
  for (std::size_t first = 0, end = 0; first < all.size(); first = end) {
    while (end < all.size() && all[end].local == all[first].local) ++end;
    if (end - first == 1) {
      strip_prefix(all[first].attribute);
    } else if (!all[first + 1].prefixed) {
      return false;
    }
  }
  return true;
}

/// Strips every name. Walks without recursion, so that no nesting can exhaust the stack.
std::optional<Fault> prepare(pugi::xml_document& document) {
  const auto at = [](pugi::xml_node node) {
    return static_cast<std::size_t>(std::max<std::ptrdiff_t>(node.offset_debug(), 0));
  };
  int depth = 1;
  for (pugi::xml_node node = document.first_child(); node;) {
    if (node.type() == pugi::node_doctype) {
      return Fault{at(node), "a document type declaration is not read"};
    }
    if (node.type() == pugi::node_element) {
      if (depth > XmlTree::depth_max) return Fault{at(node), "elements are nested too deeply"};
      strip_prefix(node);
      if (!strip_attributes(node)) return Fault{at(node), "an attribute is repeated"};
    }
    if (const pugi::xml_node child = node.first_child()) {
      node = child;
      ++depth;
      continue;
    }
    while (node && !node.next_sibling()) {
      node = node.parent();
      --depth;
    }
    node = node.next_sibling();
  }
  return std::nullopt;
}

}  // namespace

struct XmlTree::Parsed {
  pugi::xml_document document;
};

XmlTree::XmlTree(std::unique_ptr<const Parsed> parsed) : parsed_(std::move(parsed)) {}

XmlTree::~XmlTree() = default;

tl::expected<std::unique_ptr<const XmlTree>, Fault> XmlTree::read(std::string_view text) {
  if (has_too_many_marks(text)) {
    return tl::unexpected(Fault{text.size(), "there are too many tags and attributes"});
  }
  if (const auto nul = find_nul(text)) {
    return tl::unexpected(Fault{*nul, "a character is NUL"});
  }
  auto parsed = std::make_unique<Parsed>();
  const auto result = parsed->document.load_buffer(text.data(), text.size(), parse_flags);
  if (!result) {
    const auto at = static_cast<std::size_t>(std::max<std::ptrdiff_t>(result.offset, 0));
    return tl::unexpected(Fault{at, words(result.status)});
  }
  if (const auto fault = prepare(parsed->document)) return tl::unexpected(*fault);
  return std::unique_ptr<const XmlTree>(new XmlTree(std::move(parsed)));
}

struct XPath::Compiled {
  explicit Compiled(const std::string& expression) : query(expression.c_str()) {}

  pugi::xpath_query query;
};

XPath::XPath(std::unique_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}

XPath::~XPath() = default;

tl::expected<std::shared_ptr<const XPath>, std::string> XPath::compile(
    const std::string& expression) {
  if (auto wrong = wrong_xpath(expression)) return tl::unexpected(*std::move(wrong));
  std::unique_ptr<const Compiled> compiled;
  try {
    compiled = std::make_unique<const Compiled>(expression);
  } catch (const pugi::xpath_exception& error) {
    const auto& result = error.result();
    return tl::unexpected("is no XPath expression: " + std::string(result.description()) +
                          " at byte " + std::to_string(result.offset));
  }
  const auto type = compiled->query.return_type();
  if (type != pugi::xpath_type_node_set && type != pugi::xpath_type_string) {
    return tl::unexpected(std::string("makes a ") +
                          (type == pugi::xpath_type_number ? "number" : "truth value") +
                          "; select elements, attributes or text");
  }
  return std::shared_ptr<const XPath>(new XPath(std::move(compiled)));
}

std::vector<std::string> XPath::select(const XmlTree& tree) const {
  // The string-value of XPath 1.0 section 5: of an element, the text of everything in it.
  static const pugi::xpath_query text_of("string(.)");
  const pugi::xml_document& document = tree.parsed_->document;
  std::vector<std::string> texts;
  if (compiled_->query.return_type() == pugi::xpath_type_string) {
    std::string text = compiled_->query.evaluate_string(document);
    if (!text.empty()) texts.push_back(std::move(text));
    return texts;
  }
  pugi::xpath_node_set nodes = compiled_->query.evaluate_node_set(document);
  nodes.sort();
  for (const pugi::xpath_node& node : nodes) texts.push_back(text_of.evaluate_string(node));
  return texts;
}

}  // namespace onceproxy::policies
