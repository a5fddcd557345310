// Request: what a client asked for: its head, as policies and the upstream get to see it, and where
// the head's bytes lie. It does no I/O and decides nothing.
// Not thread-safe: its worker's loop.
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

/// Memory that the requests of a connection use one after another.
struct RequestMemory {
  /// As it was parsed; its bytes are in the client's buffer.
  RequestHead head;
  /// For a path that is not in normal form.
  std::string path;
};

class Request {
 public:
  /// The head is in `memory`. All must outlive the request.
  Request(RequestMemory& memory, Client& client, const Options& options);
  Request(const Request&) = delete;
  Request& operator=(const Request&) = delete;

  const RequestHead& head() const { return head_; }
  /// Without the fields that do not reach the upstream.
  const policies::RequestView& view() const { return view_; }
  /// The client's, or one that was made.
  std::string_view id() const { return id_; }
  bool to_head() const { return head_.method == "HEAD"; }
  /// It asks to switch to WebSocket (RFC 6455 4.1). Other upgrades are not forwarded: h2c would
  /// carry requests past every policy.
  bool wants_websocket() const;
  /// Of the page whose script sent the request; empty where it names none, or several.
  std::string_view origin() const;
  ForwardedFields forwarded_fields() const;
  CertificateField certificate_field() const;

  /// Brings the path into normal form; why it is refused, if it is.
  std::optional<BadHead> read_path();
  /// Takes the head off the client's buffer; what follows there is body. The head stays valid.
  void begin_body();
  /// Moves the head out of the buffer. To be called before more is read into it.
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
  /// What `view_.headers` shows where not all of the head's fields reach the upstream.
  std::vector<Field> delivered_;
};

}  // namespace onceproxy::http
