// MainLoop: what the main thread runs while the program serves: the signals that end it or reload
// its configuration, and what is to be done every so often.
//
// From its construction on the signals wait, in every thread that is started after it, until run()
// hears of them; none is lost, and none ends the program half-way through its start. When run() has
// returned they are not heard any more: what has begun to end is not cut short.
// Not thread-safe: the main thread alone.
#pragma once

#include <signal.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <list>
#include <vector>

namespace onceproxy {

class MainLoop {
 public:
  MainLoop();

  struct Tasks {
    /// On SIGHUP.
    std::function<void()> reload;
    /// Each at once, and again and again, so long after it ended.
    struct Repeated {
      std::function<void()> what;
      std::chrono::milliseconds interval;
    };
    std::vector<Repeated> repeated;
  };
  /// Returns after SIGTERM or SIGINT.
  void run(const Tasks& tasks);

 private:
  void wait_for_signal(const Tasks& tasks);
  void repeat(const Tasks::Repeated& task, boost::asio::steady_timer& timer);

  sigset_t heard_;
  boost::asio::io_context context_{1};
  boost::asio::signal_set signals_;
  /// One for each task that is repeated.
  std::list<boost::asio::steady_timer> timers_;
};

}  // namespace onceproxy
