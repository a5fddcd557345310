// ListenerFiles: the files that policies take their listeners from, read when a configuration is
// put in force and again whenever they change. A file that is not valid, or gone, changes nothing:
// what was read before stays in force. Not thread-safe: who reloads, and who looks, take turns.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "policies/policy.hpp"
#include "proxy/delivery/plan.hpp"
#include "proxy/file_watch.hpp"

namespace onceproxy {

class ListenerFiles {
 public:
  /// What the policies' files say now. Throws std::runtime_error, with a message for an operator,
  /// where one cannot be used; then adopt() is not to be called.
  delivery::ListenerLists read(const std::vector<policies::Policy>& policies);
  /// These are the policies in force: their files are looked at from now on.
  void adopt(const std::vector<policies::Policy>& policies, const delivery::ListenerLists& lists);

  /// To be called about once a second: all lists, where one of them has changed; else nothing. What
  /// is not valid is logged.
  delivery::ListenerLists look();
  /// What look() gave is in force.
  void adopt(const delivery::ListenerLists& lists) { lists_ = lists; }

 private:
  struct File {
    explicit File(const std::string& path) : watch(path) {}
    FileWatch watch;
    /// As it was read last, valid or not.
    std::string text;
    /// The policies that name it.
    std::vector<std::string> policies;
  };

  std::map<std::string, File> files_;
  delivery::ListenerLists lists_;
};

}  // namespace onceproxy
