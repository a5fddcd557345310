#include "policies/document.hpp"

#include "policies/ascii.hpp"
#include "policies/content_coding.hpp"
#include "policies/media_type.hpp"

namespace onceproxy::policies {
namespace {

/// Whether it begins with an object or an array, behind white space and byte order marks. The bytes
/// of UTF-16 and UTF-32 are looked through, and so is white space that only lenient readers skip.
bool begins_with_bracket(std::string_view text) {
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

BodyKind Document::kind() {
  if (!kind_) kind_ = body_kind(request_);
  return *kind_;
}

const JsonTree* Document::json() {
  if (json_known_ == Known::not_yet) {
    if (const std::string_view* text = content()) {
      auto tree = JsonTree::read(*text);
      if (tree) {
        json_ = *std::move(tree);
      } else {
        json_fault_ = tree.error();
      }
    }
    json_known_ = json_ ? Known::present : Known::absent;
  }
  return json_.get();
}

bool Document::begins_like_json() {
  const std::string_view* const text = content();
  return text != nullptr && begins_with_bracket(*text);
}

const std::vector<Part>* Document::parts() {
  if (parts_known_ == Known::not_yet) {
    parts_known_ = Known::absent;
    const std::string_view* const text = kind() == BodyKind::multipart ? content() : nullptr;
    if (text != nullptr) {
      auto parts = read_multipart(*text, request_.header("content-type")->value);
      if (parts) {
        parts_ = *std::move(parts);
        parts_known_ = Known::present;
      } else {
        parts_fault_ = parts.error();
      }
    }
  }
  return parts_known_ == Known::present ? &parts_ : nullptr;
}

template <typename Why>
const std::string* Document::once(Known& known, std::string& text, Why why) {
  if (known == Known::not_yet) {
    text = why();
    known = text.empty() ? Known::absent : Known::present;
    if (known == Known::present && why_unreadable_ == nullptr) why_unreadable_ = &text;
  }
  return known == Known::present ? &text : nullptr;
}

std::string Document::not_valid(std::string_view what, const Fault& fault) const {
  std::string text("The body is not valid ");
  text.append(what).append(": ").append(fault.text());
  return text.append(decoded_.empty() ? "." : " of the decoded body.");
}

std::string Document::json_reason() {
  const std::string_view* const text = content();
  if (!decoded_bytes_max_) return "The body is larger than what is kept of it.";
  if (text == nullptr) {
    return "The body is not encoded as its Content-Encoding says, or decodes to too much.";
  }
  if (json() != nullptr || text->empty()) return {};
  if (!says_json(request_) && !begins_with_bracket(*text)) return {};
  return not_valid("JSON", json_fault_);
}

std::string Document::form_reason() {
  if (content() == nullptr) return json_reason();
  if (content()->empty() || kind() != BodyKind::multipart || parts() != nullptr) return {};
  return not_valid("multipart/form-data", parts_fault_);
}

const std::string* Document::unreadable_json() {
  return once(unreadable_json_known_, unreadable_json_, [this] { return json_reason(); });
}

const std::string* Document::unreadable_form() {
  return once(unreadable_form_known_, unreadable_form_, [this] { return form_reason(); });
}

}  // namespace onceproxy::policies
