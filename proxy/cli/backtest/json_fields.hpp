// What the readers of JSON lines and of HAR share: members of an object as the types that are asked
// for. Pure.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policies/json.hpp"
#include "proxy/cli/backtest/moment.hpp"

namespace onceproxy::backtest {

using policies::JsonTree;

/// An object of a document. A member that is null counts as absent.
class JsonObject {
 public:
  JsonObject(const JsonTree& tree, JsonTree::Index index) : tree_(tree), index_(index) {}

  const JsonTree& tree() const { return tree_; }
  std::optional<JsonTree::Index> find(std::string_view name) const;
  /// Nothing too if the member is of another type.
  std::optional<JsonObject> object(std::string_view name) const;
  std::optional<std::string_view> string(std::string_view name) const;
  /// A string's or a number's text.
  std::optional<std::string_view> text(std::string_view name) const;
  std::optional<double> number(std::string_view name) const;

 private:
  const JsonTree& tree_;
  JsonTree::Index index_;
};

/// Strings, and numbers and truth values as they are written; nothing for the others.
std::optional<std::string_view> scalar_text(const JsonTree& tree, JsonTree::Index value);

using HeaderList = std::vector<std::pair<std::string, std::string>>;

/// `{"name": "value"}` (the value may be a list of them), `[["name", "value"]]`, or
/// `[{"name": "…", "value": "…"}]`. False if it is none of them. HTTP/2's `:method` and the like
/// are left out.
bool read_headers(const JsonTree& tree, JsonTree::Index value, HeaderList& out);

/// Milliseconds; negative ones are 0 and those above a week are a week, since no request takes
/// longer.
std::chrono::microseconds duration_of(double milliseconds);

}  // namespace onceproxy::backtest
