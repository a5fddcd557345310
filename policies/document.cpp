#include "policies/document.hpp"

#include "policies/ascii.hpp"
#include "policies/content_coding.hpp"
#include "policies/media_type.hpp"

namespace onceproxy::policies {
namespace {

/// Whether a reader of JSON may take it for a document: it begins with an object or an array,
/// behind white space and byte order marks. The bytes of UTF-16 and UTF-32 are looked through, and
/// so is white space that only lenient readers skip.
bool begins_like_json(std::string_view text) {
  static constexpr std::string_view skipped("\0 \t\n\r\v\f\xEF\xBB\xBF\xFE\xFF", 12);
  const std::size_t first = text.find_first_not_of(skipped);
  return first != std::string_view::npos && (text[first] == '{' || text[first] == '[');
}

}  // namespace

Document::Document(const RequestView& request, std::string_view body,
                   std::optional<std::size_t> decoded_bytes_max)
    : request_(request), content_(body), decoded_bytes_max_(decoded_bytes_max) {}

Document::~Document() = default;

const std::string_view* Document::content() {
  if (content_known_ == Known::not_yet) {
    content_known_ = decoded_bytes_max_ ? Known::present : Known::absent;
    if (decoded_bytes_max_ && is_encoded(request_)) {
      auto decoded = decode_content(request_, content_, *decoded_bytes_max_);
      content_known_ = decoded ? Known::present : Known::absent;
      if (decoded) {
        decoded_ = std::move(*decoded);
        content_ = decoded_;
      }
    }
  }
  return content_known_ == Known::present ? &content_ : nullptr;
}

const JsonTree* Document::json() {
  if (json_known_ == Known::not_yet) {
    if (const std::string_view* text = content()) {
      auto tree = JsonTree::read(*text);
      if (tree) {
        json_ = *std::move(tree);
      } else {
        fault_ = tree.error();
      }
    }
    json_known_ = json_ ? Known::present : Known::absent;
  }
  return json_.get();
}

const std::string* Document::unreadable() {
  if (unreadable_known_ == Known::not_yet) {
    const std::string_view* const text = content();
    if (!decoded_bytes_max_) {
      unreadable_ = "The body is larger than what is kept of it.";
    } else if (text == nullptr) {
      unreadable_ = "The body is not encoded as its Content-Encoding says, or decodes to too much.";
    } else if (json() == nullptr && !text->empty() &&
               (says_json(request_) || begins_like_json(*text))) {
      unreadable_.append("The body is not valid JSON: ").append(fault_.what);
      unreadable_.append(" at byte ").append(std::to_string(fault_.at));
      unreadable_.append(decoded_.empty() ? "." : " of the decoded body.");
    }
    unreadable_known_ = unreadable_.empty() ? Known::absent : Known::present;
  }
  return unreadable_known_ == Known::present ? &unreadable_ : nullptr;
}

}  // namespace onceproxy::policies
