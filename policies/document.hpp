// Document: the body of a covered request, parsed when first asked for and at most once, with
// Content-Encoding gzip and deflate undone. Not thread-safe; lives for one request.
#pragma once

#include <cstddef>
#include <memory>
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
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace onceproxy::policies
