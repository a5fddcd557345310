// How records look to a person: a table of many, the fields of one, and what an action is called
// when it is done. Private to this folder. Not thread-safe.
#pragma once

#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "policies/json.hpp"

namespace onceproxy::cli {

/// A value of a tree as JSON again, on one line, members in the tree's order.
std::string json_text(const policies::JsonTree& tree, policies::JsonTree::Index value);

/// The record's members, a line each, in the order that an operator reads them in.
void print_fields(const policies::JsonTree& tree, policies::JsonTree::Index record,
                  std::ostream& out);

/// Rows of a table whose columns fit what stands in them. Rows are printed a thousand at a time, so
/// that millions take no memory; each thousand has its own widths.
class RecordTable {
 public:
  explicit RecordTable(std::ostream& out) : out_(out) {}
  void add(const policies::JsonTree& tree, policies::JsonTree::Index record);
  /// Prints what is left, or that there was nothing.
  void finish();

 private:
  void print();

  std::ostream& out_;
  std::vector<std::vector<std::string>> rows_;
  bool printed_any_ = false;
};

/// "released".
std::string_view done_word(std::string_view action);

/// Why the record's state forbids the action, as the admin port would say; empty: it does not.
std::string why_forbidden(std::string_view action, const policies::JsonTree& record);

}  // namespace onceproxy::cli
