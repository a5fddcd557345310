// Document: the body of a covered request, parsed when first asked for and at most once, with
// Content-Encoding gzip and deflate undone. Not thread-safe; lives for one request.
//
// A body is unreadable when its coding cannot be undone, or when it is not empty, says that it is
// JSON or begins like it, and is not valid JSON. Whoever asks about its fields gets neither yes nor
// no: the service behind may read it otherwise. Anything else that is not JSON (nothing, a form,
// text) is readable and has no fields of JSON.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "policies/json.hpp"
#include "policies/request_view.hpp"

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

  /// The decoded body; nullptr when its encoding is unknown or broken or it decodes to too much.
  const std::string_view* content();
  /// The body as JSON; nullptr when it is none (RFC 8259, no repeated member names).
  const JsonTree* json();
  /// Why the body is unreadable, as a sentence that names the place and repeats nothing of it;
  /// nullptr when it is readable.
  const std::string* unreadable();
  /// Whether fields of the body were requested and the body was unreadable. Costs nothing.
  bool is_known_unreadable() const { return unreadable_known_ == Known::present; }

 private:
  /// Whether a member was worked out, and whether there is one.
  enum class Known { not_yet, absent, present };

  const RequestView& request_;
  std::string_view content_;
  std::optional<std::size_t> decoded_bytes_max_;
  Known content_known_ = Known::not_yet;
  Known json_known_ = Known::not_yet;
  Known unreadable_known_ = Known::not_yet;
  /// Empty unless the body came encoded.
  std::string decoded_;
  std::unique_ptr<const JsonTree> json_;
  JsonFault fault_;
  std::string unreadable_;
};

}  // namespace onceproxy::policies
