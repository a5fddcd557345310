#include "proxy/io/pipes.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>

namespace onceproxy::io {

Pipes::~Pipes() {
  for (const Ends& ends : kept_) close(ends);
}

void Pipes::close(const Ends& ends) {
  ::close(ends.exit);
  ::close(ends.entry);
}

void Pipes::trim() {
  const auto end = kept_.begin() + static_cast<std::ptrdiff_t>(unused_);
  std::for_each(kept_.begin(), end, close);
  kept_.erase(kept_.begin(), end);
  unused_ = kept_.size();
}

Pipes::Ends Pipes::take() {
  if (used_ == used_max) return {};
  Ends ends;
  if (!kept_.empty()) {
    ends = kept_.back();
    kept_.pop_back();
    unused_ = std::min(unused_, kept_.size());
  } else {
    int made[2];
    if (::pipe2(made, O_NONBLOCK | O_CLOEXEC) != 0) return {};
    ends = {made[0], made[1]};
    // One that stays small, since the user has many, moves fewer bytes at a time.
    ::fcntl(ends.entry, F_SETPIPE_SZ, static_cast<int>(pipe_bytes));
  }
  ++used_;
  return ends;
}

void Pipes::give_back(Ends ends, bool empty) {
  --used_;
  if (empty) {
    kept_.push_back(ends);
    return;
  }
  close(ends);
}

bool Piped::open() {
  if (ends_.entry < 0) ends_ = pipes_.take();
  return ends_.entry >= 0;
}

void Piped::drop() {
  if (ends_.entry < 0) return;
  pipes_.give_back(std::exchange(ends_, {}), std::exchange(bytes_, 0) == 0);
}

}  // namespace onceproxy::io
