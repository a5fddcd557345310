#include "policies/document.hpp"

#include "policies/content_coding.hpp"
#include "policies/json.hpp"

namespace onceproxy::policies {

Document::Document(const RequestView& request, std::string_view body, std::size_t decoded_bytes_max)
    : request_(request), content_(body), decoded_bytes_max_(decoded_bytes_max) {}

Document::~Document() = default;

const std::string_view* Document::content() {
  if (content_known_ == Known::not_yet) {
    content_known_ = Known::present;
    if (is_encoded(request_)) {
      auto decoded = decode_content(request_, content_, decoded_bytes_max_);
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
    if (const std::string_view* text = content()) json_ = JsonTree::parse(*text);
    json_known_ = json_ ? Known::present : Known::absent;
  }
  return json_.get();
}

}  // namespace onceproxy::policies
