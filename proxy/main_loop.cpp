#include "proxy/main_loop.hpp"

#include <pthread.h>

namespace onceproxy {

MainLoop::MainLoop() : signals_(context_) {
  // Blocked first: between the two a signal would end the program.
  ::sigemptyset(&heard_);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&heard_, signal);
  ::pthread_sigmask(SIG_BLOCK, &heard_, nullptr);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) signals_.add(signal);
}

void MainLoop::run(const Tasks& tasks) {
  wait_for_signal(tasks);
  for (const Tasks::Repeated& task : tasks.repeated) repeat(task, timers_.emplace_back(context_));
  ::pthread_sigmask(SIG_UNBLOCK, &heard_, nullptr);
  context_.run();
  ::pthread_sigmask(SIG_BLOCK, &heard_, nullptr);
}

void MainLoop::wait_for_signal(const Tasks& tasks) {
  signals_.async_wait([this, &tasks](const boost::system::error_code& error, int signal) {
    if (error) return;
    if (signal != SIGHUP) {
      context_.stop();
      return;
    }
    tasks.reload();
    wait_for_signal(tasks);
  });
}

void MainLoop::repeat(const Tasks::Repeated& task, boost::asio::steady_timer& timer) {
  task.what();
  timer.expires_after(task.interval);
  timer.async_wait([this, &task, &timer](const boost::system::error_code& error) {
    if (!error) repeat(task, timer);
  });
}

}  // namespace onceproxy
