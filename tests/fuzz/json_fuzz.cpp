// JSON: what is read agrees with another reader on what JSON is, and its canonical form is JSON,
// means the same and is its own canonical form. What is refused is refused at a place in the text.
#include <simdjson.h>

#include <string>

#include "claim.hpp"
#include "policies/canonical.hpp"

using namespace onceproxy::policies;

namespace {

std::string canonical(const JsonTree& tree) {
  std::string out;
  append_canonical(tree, 0, Selector{}, out);
  return out;
}

/// Another reader's verdict; numbers beyond a double are its limit, not the document's. So are
/// halves of surrogate pairs, which it calls an error of a string.
bool agrees(std::string_view text) {
  static simdjson::dom::parser parser;
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  const auto error = parser.parse(simdjson::padded_string(text)).error();
  const bool half = text.find("\\ud") != text.npos || text.find("\\uD") != text.npos;
  return error == simdjson::SUCCESS || error == simdjson::NUMBER_ERROR ||
         (half && error == simdjson::STRING_ERROR);
}

/// A document without names, escapes, exponents or deep nesting leaves nothing to differ about.
bool is_plain(std::string_view text) {
  return text.find_first_of(":\\eE") == std::string_view::npos && text.size() < 60;
}

bool reads_elsewhere(std::string_view text) {
  static simdjson::dom::parser parser;
  return parser.parse(simdjson::padded_string(text)).error() == simdjson::SUCCESS;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto read = JsonTree::read(text);
  if (!read) {
    claim(read.error().at <= size && !read.error().what.empty(), "a fault has a place and a name");
  }
  const JsonTree* const tree = read ? read->get() : nullptr;
  if (tree != nullptr) claim(agrees(text), "what is read here is JSON elsewhere");
  if (tree == nullptr) {
    if (is_plain(text)) claim(!reads_elsewhere(text), "plain JSON read elsewhere is read here");
    return 0;
  }
  const std::string once = canonical(*tree);
  const auto again = JsonTree::parse(once);
  // An exponent may grow by the digits that come to stand before its point.
  if (again == nullptr) {
    claim(once.find("e+") != std::string::npos || once.find("e-") != std::string::npos,
          "a canonical form is JSON");
    return 0;
  }
  claim(canonical(*again) == once, "a canonical form is its own");
  return 0;
}
