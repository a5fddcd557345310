// Document: the body of a covered request. It is parsed when it is first needed and at most once,
// after decoding Content-Encoding gzip and deflate. Not thread-safe; used for one request.
//
// A body is unreadable if its coding cannot be decoded. For a reader of JSON it is also unreadable
// if it is not empty, is declared as JSON or begins like it, and is not valid JSON. The same holds
// for a reader of a form, if it is declared as multipart/form-data and is not valid, and for a
// reader of XML, if it is declared as XML or begins like it, and XmlTree cannot read it.
//
// Conditions on fields of an unreadable body are neither true nor false, because the service may
// read the body in another way. Any other body that is not JSON (empty, a form, text) is readable
// and has no JSON fields.
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
  /// `body` and `request` must outlive the document. `decoded_bytes_max`: the limit for a decoded
  /// body; if it is exceeded, the body is unreadable. Absent: `body` is only the beginning of the
  /// body, which is therefore unreadable.
  Document(const RequestView& request, std::string_view body,
           std::optional<std::size_t> decoded_bytes_max);
  ~Document();
  Document(const Document&) = delete;
  Document& operator=(const Document&) = delete;

  /// The type of the body that the request declares.
  BodyKind kind();
  /// The decoded body; nullptr if its encoding is unknown or invalid, or if it decodes to too much.
  const std::string_view* content();
  /// The body as JSON, regardless of the declared type; nullptr if it is not JSON (RFC 8259,
  /// without repeated member names).
  const JsonTree* json();
  /// Whether a reader of JSON may treat it as a document, valid or not: it begins with an object or
  /// an array. False if there is no content.
  bool begins_like_json();
  /// The parts of a body that is declared as multipart/form-data; nullptr if it is not, or is not
  /// valid.
  const std::vector<Part>* parts();

  /// The body as XML, if it is declared as XML or begins like it; nullptr if it is not XML.
  const XmlTree* xml();

  // The reason why the body is unreadable, as a sentence with the position and without its
  // contents; nullptr if it is readable. Parses the body if this has not been done yet.
  const std::string* unreadable_json();
  const std::string* unreadable_form();
  const std::string* unreadable_xml();

  /// The first of these three reasons that was requested, or that was recorded by a caller; nullptr
  /// if there was none, or if everything is readable. Cheap.
  const std::string* known_unreadable() const { return why_unreadable_; }
  /// Records that a text in the request contains a field that cannot be read.
  void note_unreadable(const std::string& why);

  /// The reason why json() is nullptr: a literal and a position. Only in this case.
  const Fault& json_fault() const { return json_fault_; }

 private:
  /// Whether a member was computed, and whether it exists.
  enum class Known { not_yet, absent, present };

  /// Computes the result of `why` once, and returns it from then on.
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
  /// Empty unless the body was encoded.
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
