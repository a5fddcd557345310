// Document: the body of a covered request, parsed when first asked for and at most once, with
// Content-Encoding gzip and deflate undone. Not thread-safe; lives for one request.
//
// A body is unreadable if its coding cannot be decoded. For a reader of JSON it is also unreadable
// if it is not empty, is declared as JSON or begins like it, and is not valid JSON; for a reader of
// a form, if it is not empty, is declared as multipart/form-data and is not valid; for a reader of
// XML, if it is not empty, is declared as XML or begins like it, and XmlTree cannot read it.
// Conditions on its fields are then neither true nor false, because the service may read the body
// in another way. Any other body that is not JSON (empty, a form, text) is readable and has no JSON
// fields.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policies/json.hpp"
#include "policies/media_type.hpp"
#include "policies/multipart.hpp"
#include "policies/request_view.hpp"
#include "policies/xml.hpp"

namespace onceproxy::policies {

class Document {
 public:
  /// `body` and `request` must outlive the document. `decoded_bytes_max` bounds what a compressed
  /// body may decode to; beyond it, its fields are missing. Absent: `body` is only the beginning of
  /// the body, which therefore is unreadable.
  Document(const RequestView& request, std::string_view body,
           std::optional<std::size_t> decoded_bytes_max);
  ~Document();
  Document(const Document&) = delete;
  Document& operator=(const Document&) = delete;

  /// What the request says that the body is.
  BodyKind kind();
  /// The decoded body; nullptr when its encoding is unknown or broken or it decodes to too much.
  const std::string_view* content();
  /// The body as JSON, whatever it says that it is; nullptr when it is none (RFC 8259, no repeated
  /// member names).
  const JsonTree* json();
  /// Whether a reader of JSON may take it for a document, valid or not: it begins with an object or
  /// an array. False where there is no content.
  bool begins_like_json();
  /// The parts of a body that says that it is multipart/form-data; nullptr when it does not, or is
  /// not valid.
  const std::vector<Part>* parts();

  /// The body as XML, where it says that it is or begins like it; nullptr when it is none.
  const XmlTree* xml();

  // Why the body is unreadable, as a sentence that names the place and repeats nothing of it;
  // nullptr when it is readable. Costs a read of the body where nobody has read it yet.
  const std::string* unreadable_json();
  const std::string* unreadable_form();
  const std::string* unreadable_xml();

  /// The first of these three's reason that was asked for, or that somebody noted; nullptr where
  /// there was none, or everything is readable. Costs nothing.
  const std::string* known_unreadable() const { return why_unreadable_; }
  /// A text of the request holds a field that cannot be read.
  void note_unreadable(const std::string& why);

  /// Why json() is nullptr: a literal and a place. Only then.
  const Fault& json_fault() const { return json_fault_; }

 private:
  /// Whether a member was worked out, and whether there is one.
  enum class Known { not_yet, absent, present };

  /// Works out once what `why` returns, and says it again from then on.
  template <typename Why>
  const std::string* once(Known& known, std::string& text, Why why);
  std::string json_reason();
  std::string form_reason();
  std::string xml_reason();
  std::string not_valid(std::string_view what, const Fault& fault) const;

  const RequestView& request_;
  std::string_view content_;
  std::optional<std::size_t> decoded_bytes_max_;
  std::optional<BodyKind> kind_;
  Known content_known_ = Known::not_yet;
  Known json_known_ = Known::not_yet;
  Known parts_known_ = Known::not_yet;
  Known xml_known_ = Known::not_yet;
  /// Empty unless the body came encoded.
  std::string decoded_;
  std::unique_ptr<const JsonTree> json_;
  Fault json_fault_;
  std::vector<Part> parts_;
  Fault parts_fault_;
  std::unique_ptr<const XmlTree> xml_;
  Fault xml_fault_;
  Known unreadable_json_known_ = Known::not_yet;
  Known unreadable_form_known_ = Known::not_yet;
  Known unreadable_xml_known_ = Known::not_yet;
  std::string unreadable_json_;
  std::string unreadable_form_;
  std::string unreadable_xml_;
  std::string unreadable_text_;
  const std::string* why_unreadable_ = nullptr;
};

}  // namespace onceproxy::policies
