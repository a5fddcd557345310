// ListenerFiles: the files with the listeners of policies. They are read when a configuration is
// activated, and again whenever they change. If a file is not valid or missing, the listeners that
// were read last stay active. Not thread-safe: reloads and checks must not run at the same time.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "policies/policy.hpp"
#include "proxy/delivery/plan.hpp"
#include "proxy/file_watch.hpp"

namespace onceproxy {

class ListenerFiles {
 public:
  using List = std::shared_ptr<const policies::ListenerList>;

  /// The current content of the policies' files. Throws std::runtime_error with a message for the
  /// operator if one cannot be used; adopt() must then not be called.
  delivery::ListenerLists read(const std::vector<policies::Policy>& policies);
  /// Makes these policies the active ones, whose files are checked from now on.
  void adopt(const std::vector<policies::Policy>& policies, const delivery::ListenerLists& lists);

  /// Called about once a second. Returns all lists as they were read last, if they are not the
  /// active ones, otherwise nothing. A file that is not valid is logged.
  delivery::ListenerLists look();
  /// Activates the result of look().
  void adopt(const delivery::ListenerLists& lists) { lists_ = lists; }
  const delivery::ListenerLists& in_force() const { return lists_; }

 private:
  struct File {
    explicit File(const std::string& path) : watch(path) {}
    FileWatch watch;
    /// The text that was read last, valid or not.
    std::string text;
    /// The policies with this file.
    std::vector<std::string> policies;
  };

  bool in_force(const std::string& policy, const List& list) const;

  std::map<std::string, File> files_;
  /// The active ones, and those that were read last.
  delivery::ListenerLists lists_;
  delivery::ListenerLists read_;
};

}  // namespace onceproxy
