#include "proxy/telemetry/output.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace onceproxy::telemetry {

Output::Output(int descriptor) : descriptor_(descriptor), socket_(false) {
  struct stat status {};
  const bool known = fstat(descriptor, &status) == 0;
  socket_ = known && S_ISSOCK(status.st_mode);
  // A pipe polls as writable when it takes PIPE_BUF bytes. A file is always writable, and a
  // socket can be written without waiting.
  const bool any_size = known && (S_ISREG(status.st_mode) || socket_);
  chunk_bytes_max_ = any_size ? std::size_t{1} << 20 : PIPE_BUF;
}

Output::Result Output::write(std::string_view& text, std::chrono::milliseconds wait) {
  pollfd poll_for{descriptor_, POLLOUT, 0};
  const int ready = poll(&poll_for, 1, static_cast<int>(wait.count()));
  if (ready == 0 || (ready < 0 && errno == EINTR)) return Result::waiting;
  if (ready < 0 || (poll_for.revents & POLLNVAL) != 0) return Result::failed;
  // On POLLERR and POLLHUP the write says what is wrong.
  const std::size_t size = std::min(text.size(), chunk_bytes_max_);
  const ssize_t written = socket_
                              ? send(descriptor_, text.data(), size, MSG_DONTWAIT | MSG_NOSIGNAL)
                              : ::write(descriptor_, text.data(), size);
  if (written < 0) {
    if (errno == EINTR) return Result::waiting;
    if (errno != EAGAIN && errno != EWOULDBLOCK) return Result::failed;
    // It polls as writable and takes nothing (a terminal may): do not ask in a tight loop.
    poll(nullptr, 0, static_cast<int>(std::min(wait, std::chrono::milliseconds{10}).count()));
    return Result::waiting;
  }
  text.remove_prefix(static_cast<std::size_t>(written));
  return Result::written;
}

}  // namespace onceproxy::telemetry
