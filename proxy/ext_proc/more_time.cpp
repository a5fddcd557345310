#include "proxy/ext_proc/more_time.hpp"

#include <algorithm>

namespace onceproxy::ext_proc {

MoreTime::MoreTime(Talk& talk, store::Loop& loop, std::chrono::milliseconds up_to)
    : talk_(talk),
      up_to_(std::min<std::chrono::milliseconds>(up_to, up_to_max)),
      timer_(loop.timer(asked_after, [this] { asking_.begin(ask()); })) {}

io::Task<void> MoreTime::ask() {
  ProcessingResponse reply;
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(up_to_);
  reply.mutable_override_message_timeout()->set_seconds(seconds.count());
  reply.mutable_override_message_timeout()->set_nanos(
      static_cast<std::int32_t>(std::chrono::nanoseconds(up_to_ - seconds).count()));
  co_await talk_.say(reply);
}

io::Task<void> MoreTime::stop() {
  timer_.reset();
  co_await asking_.ended();
}

}  // namespace onceproxy::ext_proc
