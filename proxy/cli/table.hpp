// How what the admin port tells looks to a person: a table of many items, the fields of one.
// Private to this folder. Not thread-safe.
#pragma once

#include <iosfwd>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policies/json.hpp"

namespace onceproxy::cli {

/// A value of a tree as JSON again, on one line, members in the tree's order.
std::string json_text(const policies::JsonTree& tree, policies::JsonTree::Index value);

/// A member of an object as a person reads it: control characters escaped, so that a request id
/// moves no cursor. Empty if there is none.
std::string field_text(const policies::JsonTree& tree, policies::JsonTree::Index object,
                       std::string_view name);

/// To the second: "2026-01-02 03:04:05".
std::string short_time(std::string time);

/// The object's members, a line each: those that `order` names first, in its order.
void print_fields(const policies::JsonTree& tree, policies::JsonTree::Index object,
                  std::span<const std::string_view> order, std::ostream& out);

struct Column {
  std::string_view title;
  /// The member of the item that stands there.
  std::string_view field;
  /// How; nullptr: as field_text() has it.
  std::string (*text)(const policies::JsonTree& tree, policies::JsonTree::Index item,
                      std::string_view field) = nullptr;
};

/// For columns of times.
std::string short_time_text(const policies::JsonTree& tree, policies::JsonTree::Index item,
                            std::string_view field);

/// Rows of a table whose columns fit what stands in them. Rows are printed a thousand at a time, so
/// that millions take no memory; each thousand has its own widths.
class Table {
 public:
  /// `columns` outlive it. `nothing` is printed if there are no rows.
  Table(std::ostream& out, std::span<const Column> columns, std::string_view nothing)
      : out_(out), columns_(columns), nothing_(nothing) {}
  void add(const policies::JsonTree& tree, policies::JsonTree::Index item);
  /// Prints what is left, or that there was nothing.
  void finish();

 private:
  void print();

  std::ostream& out_;
  const std::span<const Column> columns_;
  const std::string_view nothing_;
  std::vector<std::vector<std::string>> rows_;
  bool printed_any_ = false;
};

}  // namespace onceproxy::cli
