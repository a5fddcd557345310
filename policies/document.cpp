#include "policies/document.hpp"

#include "policies/content_coding.hpp"
#include "policies/first_character.hpp"
#include "policies/media_type.hpp"

namespace onceproxy::policies {
namespace {

/// Whether the body says that it is XML, or begins like it.
bool seems_xml(const RequestView& request, std::string_view text) {
  return !text.empty() && (says_xml(request) || first_character(text) == '<');
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
  return text != nullptr && policies::begins_like_json(*text);
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

const XmlTree* Document::xml() {
  if (xml_known_ == Known::not_yet) {
    xml_known_ = Known::absent;
    const std::string_view* const text = content();
    if (text != nullptr && seems_xml(request_, *text)) {
      auto tree = XmlTree::read(*text);
      if (tree) {
        xml_ = *std::move(tree);
        xml_known_ = Known::present;
      } else {
        xml_fault_ = tree.error();
      }
    }
  }
  return xml_.get();
}

void Document::note_unreadable(const std::string& why) {
  if (why_unreadable_ != nullptr) return;
  unreadable_text_ = why;
  why_unreadable_ = &unreadable_text_;
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
  if (!says_json(request_) && !policies::begins_like_json(*text)) return {};
  return not_valid("JSON", json_fault_);
}

std::string Document::form_reason() {
  if (content() == nullptr) return json_reason();
  if (content()->empty() || kind() != BodyKind::multipart || parts() != nullptr) return {};
  return not_valid("multipart/form-data", parts_fault_);
}

std::string Document::xml_reason() {
  const std::string_view* const text = content();
  if (text == nullptr) return json_reason();
  if (xml() != nullptr || !seems_xml(request_, *text)) return {};
  std::string why = "The body cannot be read as XML: " + xml_fault_.text();
  return why.append(decoded_.empty() ? "." : " of the decoded body.");
}

const std::string* Document::unreadable_json() {
  return once(unreadable_json_known_, unreadable_json_, [this] { return json_reason(); });
}

const std::string* Document::unreadable_form() {
  return once(unreadable_form_known_, unreadable_form_, [this] { return form_reason(); });
}

const std::string* Document::unreadable_xml() {
  return once(unreadable_xml_known_, unreadable_xml_, [this] { return xml_reason(); });
}

}  // namespace onceproxy::policies
