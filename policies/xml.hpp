// XmlTree: an XML document, and XPath: an expression that selects text of it (XPath 1.0). For the
// fields of SOAP, ISO 20022 and other services that speak XML.
//
// Names lose their prefix as the document is read, so an expression without prefixes matches by
// local name, whatever namespace and prefix a client's library chose. Of two attributes with one
// local name the one without a prefix is meant; where both have one, neither is. Comments,
// processing instructions and white space between tags do not count. Nothing outside the document
// is ever read: a document type declaration, and with it every entity of the document's own, makes
// it unreadable. Nesting, and the number of tags and attributes, are bounded.
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
  /// Elements within each other.
  static constexpr int depth_max = 64;
  /// Characters '<' and '=', of which there is one for each tag and each attribute: what is read
  /// takes up to 64 bytes of memory for each of them, however small the text is.
  static constexpr std::size_t marks_max = 250'000;

  /// The fault's place is in UTF-8 where the text is encoded otherwise. Keeps nothing of `text`,
  /// which may be UTF-8, UTF-16, UTF-32 or ISO 8859-1 as its byte order mark or declaration says.
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
  /// The error is the end of a sentence that begins with the expression; xpath_rules.hpp says what
  /// is refused beside syntax errors.
  static tl::expected<std::shared_ptr<const XPath>, std::string> compile(
      const std::string& expression);
  ~XPath();
  XPath(const XPath&) = delete;
  XPath& operator=(const XPath&) = delete;

  /// The text of every element, attribute or text that the expression selects, in the document's
  /// order; of an expression that makes a text (`string(…)`, `concat(…)`), this text unless it is
  /// empty.
  std::vector<std::string> select(const XmlTree& tree) const;

 private:
  struct Compiled;

  explicit XPath(std::unique_ptr<const Compiled> compiled);

  std::unique_ptr<const Compiled> compiled_;
};

}  // namespace onceproxy::policies
