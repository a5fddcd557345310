// Document: the body of a covered request, parsed when first asked for and at most once, with
// Content-Encoding gzip and deflate undone. Not thread-safe; lives for one request.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "policies/request_view.hpp"

namespace onceproxy::policies {

class JsonTree;

class Document {
 public:
  /// `body` and `request` must outlive the document. `decoded_bytes_max` bounds what a compressed
  /// body may decode to; beyond it, its fields are missing.
  Document(const RequestView& request, std::string_view body, std::size_t decoded_bytes_max);
  ~Document();
  Document(const Document&) = delete;
  Document& operator=(const Document&) = delete;

  /// The decoded body; nullptr when its encoding is unknown or broken or it decodes to too much.
  const std::string_view* content();
  /// The body as JSON; nullptr when it is none (RFC 8259, no repeated member names).
  const JsonTree* json();

 private:
  /// Whether a member was worked out, and whether there is one.
  enum class Known { not_yet, absent, present };

  const RequestView& request_;
  std::string_view content_;
  std::size_t decoded_bytes_max_;
  Known content_known_ = Known::not_yet;
  Known json_known_ = Known::not_yet;
  /// Empty unless the body came encoded.
  std::string decoded_;
  std::unique_ptr<const JsonTree> json_;
};

}  // namespace onceproxy::policies
