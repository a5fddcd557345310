// What `onceproxy doctor` found. Plain values.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace onceproxy::doctor {

enum class Health {
  ok,
  warn,  ///< it starts, and will not do all that is expected of it
  fail,  ///< it does not start, or forwards nothing
};

struct Finding {
  Health health = Health::ok;
  /// What was looked at, in a word: "store".
  std::string check;
  /// What was found.
  std::string message;
  /// What to do; empty if nothing is to be done.
  std::string remedy;
};

class Findings {
 public:
  explicit Findings(std::string check) : check_(std::move(check)) {}

  void ok(std::string message) { add(Health::ok, std::move(message), ""); }
  void warn(std::string message, std::string remedy) {
    add(Health::warn, std::move(message), std::move(remedy));
  }
  void fail(std::string message, std::string remedy) {
    add(Health::fail, std::move(message), std::move(remedy));
  }
  bool empty() const { return all_.empty(); }
  std::vector<Finding> take() { return std::move(all_); }

 private:
  void add(Health health, std::string message, std::string remedy) {
    all_.push_back({health, check_, std::move(message), std::move(remedy)});
  }

  const std::string check_;
  std::vector<Finding> all_;
};

}  // namespace onceproxy::doctor
