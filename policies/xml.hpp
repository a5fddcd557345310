// XmlTree: an XML document, and XPath: an expression that selects text of it (XPath 1.0). For the
// fields of SOAP, ISO 20022 and other services that use XML.
//
// Prefixes of names are removed when the document is read, so an expression without prefixes
// matches by local name, regardless of the namespace and prefix that a client's library uses. If
// two attributes have the same local name, the attribute without a prefix is selected; if both have
// one, neither is. Comments, processing instructions and white space between tags are ignored.
// Nothing outside the document is read: a document type declaration makes the document unreadable.
// Nesting, and the number of tags and attributes, are limited.
//
// Both are immutable once made, and thread-safe.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "policies/fault.hpp"

namespace onceproxy::policies {

class XmlTree {
 public:
  /// The nesting of elements.
  static constexpr int depth_max = 64;
  /// The number of characters '<' and '=', of which there is one for each tag and each attribute:
  /// parsing needs up to 64 bytes of memory for each of them, even if the text is small.
  static constexpr std::size_t marks_max = 250'000;

  /// The fault's position refers to UTF-8 if the text has another encoding. `text` is not kept. It
  /// may be UTF-8, UTF-16, UTF-32 or ISO 8859-1 according to its byte order mark or declaration.
  static tl::expected<std::unique_ptr<const XmlTree>, Fault> read(std::string_view text);
  ~XmlTree();
  XmlTree(const XmlTree&) = delete;
  XmlTree& operator=(const XmlTree&) = delete;

 private:
  friend class XPath;
  struct Parsed;

  explicit XmlTree(std::unique_ptr<const Parsed> parsed);

  std::unique_ptr<const Parsed> parsed_;
};

class XPath {
 public:
  /// The error is the end of a sentence that begins with the expression; xpath_rules.hpp lists what
  /// is refused besides syntax errors.
  static tl::expected<std::shared_ptr<const XPath>, std::string> compile(
      const std::string& expression);
  ~XPath();
  XPath(const XPath&) = delete;
  XPath& operator=(const XPath&) = delete;

  /// The text of every element, attribute or text that the expression selects, in the document's
  /// order. For an expression that yields a string (`string(…)`, `concat(…)`), this string unless
  /// it is empty.
  std::vector<std::string> select(const XmlTree& tree) const;

 private:
  struct Compiled;

  explicit XPath(std::unique_ptr<const Compiled> compiled);

  std::unique_ptr<const Compiled> compiled_;
};

}  // namespace onceproxy::policies
