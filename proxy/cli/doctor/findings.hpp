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
  std::string told;
  /// What to do; empty where nothing is to be done.
  std::string way_out;
};

class Findings {
 public:
  explicit Findings(std::string check) : check_(std::move(check)) {}

  void ok(std::string told) { add(Health::ok, std::move(told), ""); }
  void warn(std::string told, std::string way_out) {
    add(Health::warn, std::move(told), std::move(way_out));
  }
  void fail(std::string told, std::string way_out) {
    add(Health::fail, std::move(told), std::move(way_out));
  }
  bool empty() const { return all_.empty(); }
  std::vector<Finding> take() { return std::move(all_); }

 private:
  void add(Health health, std::string told, std::string way_out) {
    all_.push_back({health, check_, std::move(told), std::move(way_out)});
  }

  const std::string check_;
  std::vector<Finding> all_;
};

}  // namespace onceproxy::doctor
