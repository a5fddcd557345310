// Request: a client's request: its head, as policies and the upstream see it, and the memory that
// contains the head. It does no I/O and makes no decisions. Not thread-safe: used on its worker's
// loop.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policies/request_view.hpp"
#include "proxy/http/client.hpp"
#include "proxy/http/grammar/head.hpp"
#include "proxy/http/head_writer.hpp"
#include "proxy/http/options.hpp"

namespace onceproxy::http {

/// Memory that is reused for the requests of a connection.
struct RequestMemory {
  /// The parsed head, whose bytes are in the client's buffer.
  RequestHead head;
  /// Used for a path that is not in normal form.
  std::string path;
};

class Request {
 public:
  /// The head is in `memory`. All arguments must outlive the request.
  Request(RequestMemory& memory, Client& client, const Options& options);
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  const RequestHead& head() const { return head_; }
  /// The head without the fields that are not forwarded.
  const policies::RequestView& view() const { return view_; }
  /// The client's id, or a generated one.
  std::string_view id() const { return id_; }
  bool to_head() const { return head_.method == "HEAD"; }
  /// Whether it requests an upgrade to WebSocket (RFC 6455 4.1). Other upgrades are not forwarded,
  /// because h2c would bypass every policy.
  bool wants_websocket() const;
  /// The origin of the page whose script sent the request; empty if there is none, or more than
  /// one.
  std::string_view origin() const;
  ForwardedFields forwarded_fields() const;
  CertificateField certificate_field() const;

  /// Brings the path into normal form. Returns the reason if the path is refused.
  std::optional<BadHead> read_path();
  /// Removes the head from the client's buffer; the rest of the buffer is body. The head stays
  /// valid.
  void begin_body();
  /// Copies the head out of the buffer. Call this before more is read into the buffer.
  void keep_head();

 private:
  void show_head();
  bool client_gave_id() const;
  void hide_certificate_claims();

  RequestHead& head_;
  std::string& path_memory_;
  Client& client_;
  const Options& options_;
  policies::RequestView view_;
  std::string_view id_;
  std::string made_id_;
  const char* head_begin_ = nullptr;
  std::string kept_head_;
  /// The fields in `view_.headers` if some fields of the head are not forwarded.
  std::vector<Field> delivered_;
};

}  // namespace onceproxy::http
