#include "proxy/http/stream.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace onceproxy::http {

namespace {

constexpr int reads_in_a_row_max = 16;

bool would_block(int error) {
  return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

/// Small writes go out at once: an answer must not wait for the client's acknowledgement. Fails on
/// a unix socket, which has no Nagle algorithm.
void send_at_once(int descriptor) {
  const int on = 1;
  ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

}  // namespace

Stream::Stream(EventLoop& loop, int descriptor, std::chrono::milliseconds stall)
    : Deadline(loop.deadlines()), loop_(loop), descriptor_(descriptor), stall_(stall) {
  if (descriptor_ < 0) return;
  send_at_once(descriptor_);
  if (!loop_.add(descriptor_, *this)) close();
}

Stream::~Stream() {
  close();
}

void Stream::close() {
  if (descriptor_ < 0) return;
  cancel();
  disarm();
  loop_.remove(*this);
  ::close(std::exchange(descriptor_, -1));
}

void Stream::reset() {
  const linger now{1, 0};
  if (descriptor_ >= 0) ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close();
}

void Stream::shutdown_send() {
  if (descriptor_ >= 0) ::shutdown(descriptor_, SHUT_WR);
}

bool Stream::quiet(bool look) {
  if (descriptor_ < 0 || ended_) return false;
  if (!readable_ && !look) return true;
  char byte;
  const ssize_t got = ::recv(descriptor_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got >= 0 || !would_block(errno)) return false;
  readable_ = false;
  return true;
}

void Stream::awaited_twice(std::string_view) {}

/// True: the operation is awaited already. Whoever asked is not to wait for it.
bool Stream::refuse_second(const Waiter& waiter, std::string_view operation) {
  if (!waiter.handle) return false;
  close();
  awaited_twice(operation);
  return true;
}

// --- reading

bool Stream::begin_fill(std::size_t buffer_bytes_max) {
  read_bytes_max_ = buffer_bytes_max;
  read_error_ = IoError::none;
  if (descriptor_ < 0) {
    read_error_ = IoError::broken;
    return true;
  }
  if (!readable_ || !read_some()) {
    reads_in_a_row_ = 0;
    guard_read();
    return false;
  }
  if (++reads_in_a_row_ < reads_in_a_row_max) return true;
  // A peer that always has more must not keep the loop to itself.
  reads_in_a_row_ = 0;
  reader_.done = true;
  loop_.defer(*this);
  return false;
}

/// True: the read ended, well or not. False: there is nothing to read now.
bool Stream::read_some() {
  const Buffer::Room room = buffer.prepare(read_bytes_max_);
  if (room.size == 0) {
    read_error_ = IoError::no_room;
    return true;
  }
  const ssize_t got = ::recv(descriptor_, room.data, room.size, 0);
  if (got > 0) {
    buffer.commit(static_cast<std::size_t>(got));
    // Less than there was room for: the kernel has no more, and will say so when it has.
    if (static_cast<std::size_t>(got) < room.size && !ended_) readable_ = false;
    return true;
  }
  if (got == 0) {
    ended_ = true;
    read_error_ = IoError::eof;
    return true;
  }
  if (would_block(errno)) {
    readable_ = false;
    return false;
  }
  ended_ = true;
  read_error_ = IoError::broken;
  return true;
}

/// No read waits for ever, also where its owner's deadline struck while nobody read.
void Stream::guard_read() {
  read_guarded_ = !armed();
  if (read_guarded_) arm(stall_);
}

// --- writing

bool Stream::WriteAwaiter::advance() {
  if (if_quiet_ && result_.bytes == 0 && !stream_.quiet(true)) {
    result_.error = IoError::broken;
    return true;
  }
  while (true) {
    if (stream_.descriptor_ < 0) {
      result_.error = IoError::broken;
      return true;
    }
    std::array<iovec, parts_max> vectors;
    std::size_t count = 0;
    for (const std::string_view part : parts_) {
      if (!part.empty()) vectors[count++] = {const_cast<char*>(part.data()), part.size()};
    }
    if (count == 0) return true;
    msghdr message{};
    message.msg_iov = vectors.data();
    message.msg_iovlen = count;
    const ssize_t sent = count == 1 ? ::send(stream_.descriptor_, vectors[0].iov_base,
                                             vectors[0].iov_len, MSG_NOSIGNAL)
                                    : ::sendmsg(stream_.descriptor_, &message, MSG_NOSIGNAL);
    if (sent < 0) {
      if (would_block(errno)) return false;
      result_.error = IoError::broken;
      return true;
    }
    auto left = static_cast<std::size_t>(sent);
    result_.bytes += left;
    for (std::string_view& part : parts_) {
      const std::size_t taken = std::min(left, part.size());
      part.remove_prefix(taken);
      left -= taken;
    }
  }
}

void Stream::begin_write(WriteAwaiter& writing, std::coroutine_handle<> waiter) {
  writer_ = {waiter};
  writing_ = &writing;
  loop_.write_later(*this);
}

bool Stream::write_now() {
  if (!writer_.waits()) return false;  // it was cut short, and is resumed for that
  writer_.done = writing_->advance();
  if (writer_.done) return true;
  if (writing_->listens_ && !reader_.handle && !quiet(true)) {
    writing_->result_.error = IoError::peer_spoke;
    writer_.done = true;
    return true;
  }
  guard_write();
  return false;
}

void Stream::written() {
  // Unless somebody resumed it meanwhile.
  if (writer_.done) run();
}

void Stream::guard_write() {
  if (!guard_) guard_.emplace(*this);
  guard_->arm(stall_);
  if (read_guarded_) arm(stall_);
}

/// There is something to read, and nobody who reads it.
void Stream::heard() {
  if (writer_.waits() && writing_->listens_) {
    interrupt_writing(IoError::peer_spoke);
  } else {
    stirred();
  }
}

// --- connecting

bool Stream::begin_connect(const SocketAddress& address) {
  connect_error_ = IoError::none;
  const auto* to = reinterpret_cast<const sockaddr*>(&address.storage);
  descriptor_ = ::socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (descriptor_ < 0) {
    connect_error_ = IoError::broken;
    return true;
  }
  send_at_once(descriptor_);
  const bool connected = ::connect(descriptor_, to, address.size) == 0;
  const bool under_way = !connected && errno == EINPROGRESS;
  if (!(connected || under_way) || !loop_.add(descriptor_, *this)) {
    close();
    connect_error_ = IoError::broken;
    return true;
  }
  return connected;
}

// --- what wakes them

// Whoever interrupts may be one of those whom resuming destroys: the loop resumes them later.

void Stream::interrupt_reading(IoError error) {
  if (reader_.waits()) {
    read_error_ = error;
    reader_.done = true;
  }
  if (connector_.waits()) {
    connect_error_ = error;
    connector_.done = true;
  }
  if (reader_.done || connector_.done) loop_.defer(*this);
}

void Stream::interrupt_writing(IoError error) {
  if (!writer_.waits()) return;
  writing_->result_.error = error;
  writer_.done = true;
  loop_.defer(*this);
}

/// Resumes one whose operation has ended. That may be the end of the stream, too: if another is to
/// be resumed, it is left to the loop, which forgets what is destroyed.
void Stream::run() {
  Waiter& waiter = connector_.done ? connector_ : writer_.done ? writer_ : reader_;
  if (!waiter.done) return;
  const std::coroutine_handle<> handle = std::exchange(waiter, Waiter{}).handle;
  if (&waiter == &writer_) {
    guard_.reset();
    writing_ = nullptr;
  } else if (read_guarded_) {
    read_guarded_ = false;
    disarm();
  }
  if (reader_.done || writer_.done) loop_.defer(*this);
  handle.resume();
}

void Stream::ready(std::uint32_t events) {
  constexpr std::uint32_t failed = EPOLLERR | EPOLLHUP;
  if ((events & (EPOLLRDHUP | failed)) != 0) ended_ = true;
  const bool news = (events & (EPOLLIN | EPOLLRDHUP | failed)) != 0;
  if (news) readable_ = true;
  if (connector_.waits()) {
    if ((events & (EPOLLOUT | failed)) == 0) return;
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) connect_error_ = IoError::broken;
    connector_.done = true;
  } else {
    if (writer_.waits() && (events & (EPOLLOUT | failed)) != 0) {
      const std::size_t before = writing_->result_.bytes;
      writer_.done = writing_->advance();
      if (!writer_.done && writing_->result_.bytes > before) guard_write();
    }
    if (news && reader_.waits()) reader_.done = read_some();
  }
  if (connector_.done || writer_.done || reader_.done) {
    loop_.defer(*this);
  } else if (news && !reader_.handle) {
    heard();
  }
}

}  // namespace onceproxy::http
