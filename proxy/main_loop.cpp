#include "proxy/main_loop.hpp"

#include <pthread.h>

namespace onceproxy {

MainLoop::MainLoop() : signals_(context_), timer_(context_) {
  // Blocked first: between the two a signal would end the program.
  ::sigemptyset(&heard_);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&heard_, signal);
  ::pthread_sigmask(SIG_BLOCK, &heard_, nullptr);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) signals_.add(signal);
}

void MainLoop::run(const Tasks& tasks) {
  wait_for_signal(tasks);
  look(tasks);
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

void MainLoop::look(const Tasks& tasks) {
  tasks.look();
  timer_.expires_after(tasks.look_interval);
  timer_.async_wait([this, &tasks](const boost::system::error_code& error) {
    if (!error) look(tasks);
  });
}

}  // namespace onceproxy
