// MainLoop: the loop of the main thread: it handles the signals that end the program or reload its
// configuration, and runs repeated tasks.
//
// From its construction on, the signals are blocked in every thread that is started afterwards,
// until run() handles them. So no signal is lost, and none ends the program during its start. After
// run() has returned they are ignored, so that a shutdown is not aborted. Not thread-safe: used
// only by the main thread.
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
    /// Each is run at once, and again after its interval has passed.
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
  /// One for each repeated task.
  std::list<boost::asio::steady_timer> timers_;
};

}  // namespace onceproxy
