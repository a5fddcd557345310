#include "proxy/tls/session.hpp"

#include <openssl/err.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

#include "proxy/tls/chain.hpp"

namespace onceproxy::tls {
namespace {

/// The most that one record holds (RFC 8446, section 5.1).
constexpr std::size_t record_bytes = SSL3_RT_MAX_PLAIN_LENGTH;

/// What stands at the front of `parts`, contiguous: the first part itself if it fills a record
/// or is the last one, else as many as fit into `scratch`.
std::string_view front_of(std::span<std::string_view> parts,
                          std::array<char, record_bytes>& scratch) {
  while (!parts.empty() && parts.front().empty()) parts = parts.subspan(1);
  while (!parts.empty() && parts.back().empty()) parts = parts.first(parts.size() - 1);
  if (parts.empty()) return {};
  if (parts.size() == 1 || parts.front().size() >= record_bytes) return parts.front();
  std::size_t size = 0;
  for (const std::string_view part : parts) {
    const std::size_t copied = std::min(part.size(), record_bytes - size);
    std::memcpy(scratch.data() + size, part.data(), copied);
    size += copied;
  }
  return {scratch.data(), size};
}

void take_off(std::span<std::string_view> parts, std::size_t bytes) {
  for (std::string_view& part : parts) {
    const std::size_t taken = std::min(bytes, part.size());
    part.remove_prefix(taken);
    bytes -= taken;
  }
}

}  // namespace

/// OpenSSL's way to the socket. Its own (BIO_s_socket) does not tell how much was asked for, and
/// raises SIGPIPE.
struct Session::Transport {
  static Session& session(BIO* bio) { return *static_cast<Session*>(BIO_get_data(bio)); }

  static bool is_to_be_tried_again() { return errno == EAGAIN || errno == EINTR; }

  static int read(BIO* bio, char* to, int size) {
    Session& self = session(bio);
    BIO_clear_retry_flags(bio);
    const ssize_t got = ::recv(self.socket_, to, static_cast<std::size_t>(size), 0);
    self.socket_drained_ = got < size;
    if (got == 0) self.socket_ended_ = true;
    if (got < 0 && is_to_be_tried_again()) BIO_set_retry_read(bio);
    return static_cast<int>(got);
  }

  static int write(BIO* bio, const char* from, int size) {
    Session& self = session(bio);
    BIO_clear_retry_flags(bio);
    const ssize_t sent = ::send(self.socket_, from, static_cast<std::size_t>(size), MSG_NOSIGNAL);
    if (sent > 0) self.bytes_sent_ += static_cast<std::uint64_t>(sent);
    if (sent < 0 && is_to_be_tried_again()) BIO_set_retry_write(bio);
    return static_cast<int>(sent);
  }

  static long control(BIO* bio, int command, long, void*) {
    if (command == BIO_CTRL_EOF) return session(bio).socket_ended_ ? 1 : 0;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }

  static BIO* make(Session& session) {
    static BIO_METHOD* const method = [] {
      BIO_METHOD* const made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
      if (made == nullptr) throw std::bad_alloc();
      BIO_meth_set_read(made, read);
      BIO_meth_set_write(made, write);
      BIO_meth_set_ctrl(made, control);
      return made;
    }();
    BIO* const bio = BIO_new(method);
    if (bio == nullptr) throw std::bad_alloc();
    BIO_set_data(bio, &session);
    BIO_set_init(bio, 1);
    return bio;
  }
};

Session::Session(std::shared_ptr<const ServerContext> context, int socket)
    : server_(std::move(context)), socket_(socket), ssl_(server_->accept()) {
  attach();
}

Session::Session(std::shared_ptr<const ClientContext> context, int socket)
    : client_(std::move(context)), socket_(socket), ssl_(client_->connect()) {
  attach();
}

void Session::attach() {
  if (!ssl_) throw std::bad_alloc();
  BIO* const bio = Transport::make(*this);
  SSL_set_bio(ssl_.get(), bio, bio);
}

Session::Result Session::result_of(int returned) {
  switch (SSL_get_error(ssl_.get(), returned)) {
    case SSL_ERROR_NONE:
      return Result::done;
    case SSL_ERROR_WANT_READ:
      return Result::wants_read;
    case SSL_ERROR_WANT_WRITE:
      return Result::wants_write;
    case SSL_ERROR_ZERO_RETURN:
      return Result::end;
    default:
      failed_ = true;
      return Result::failed;
  }
}

Session::Result Session::handshake() {
  ERR_clear_error();
  Result result = result_of(SSL_do_handshake(ssl_.get()));
  if (result == Result::failed || result == Result::end) {
    failure_ = failure_of(ssl_.get());
    return Result::failed;
  }
  if (result != Result::done || !server_ || !resumed()) return result;
  // The certificate of a resumed session was good when the session began.
  const X509* const peer = SSL_get0_peer_certificate(ssl_.get());
  if (peer == nullptr || std::chrono::system_clock::now() < not_after(*peer)) return result;
  failure_ = {"bad-certificate", "the certificate of the resumed session has expired"};
  failed_ = true;
  return Result::failed;
}

Session::Result Session::read(char* to, std::size_t size, std::size_t& got) {
  ERR_clear_error();
  got = 0;
  return result_of(SSL_read_ex(ssl_.get(), to, size, &got) == 1 ? 1 : 0);
}

Session::Result Session::write(std::span<std::string_view> parts, std::size_t& taken) {
  // What a record is gathered in; OpenSSL has copied it when it returns.
  static thread_local std::array<char, record_bytes> scratch;
  ERR_clear_error();
  while (true) {
    const std::string_view next = front_of(parts, scratch);
    if (next.empty()) return Result::done;
    std::size_t written = 0;
    const int returned = SSL_write_ex(ssl_.get(), next.data(), next.size(), &written);
    if (returned != 1) return result_of(0);
    take_off(parts, written);
    taken += written;
  }
}

Session::Result Session::finish() {
  if (finished_ || failed_ || !SSL_is_init_finished(ssl_.get())) return Result::done;
  ERR_clear_error();
  const int returned = SSL_shutdown(ssl_.get());
  if (returned < 0 && result_of(returned) == Result::wants_write) return Result::wants_write;
  finished_ = true;
  return Result::done;
}

bool Session::quiet() {
  ERR_clear_error();
  char byte = 0;
  std::size_t seen = 0;
  return result_of(SSL_peek_ex(ssl_.get(), &byte, 1, &seen) == 1 ? 1 : 0) == Result::wants_read;
}

bool Session::drained() const {
  return socket_drained_ && SSL_has_pending(ssl_.get()) == 0;
}

std::string_view Session::protocol() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_.get(), &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

}  // namespace onceproxy::tls
