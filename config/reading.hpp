// Reading: the text of one file while it is read, and its problems. It exists during one load();
// not thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "config/load.hpp"

namespace onceproxy::config {

struct Place {
  /// The line, from 1; 0 for the file as a whole.
  std::size_t line = 0;
  /// The offset in the line, in bytes, from 0.
  std::size_t offset = 0;
};

/// The key names of one map, for hints about unknown keys.
struct KeyNames {
  /// The name in messages, such as "upstream" or "a policy".
  std::string place;
  std::vector<std::string> names;
};

class Reading {
 public:
  /// `text` must outlive it. `key_names`: of all maps.
  Reading(std::string_view text, std::string_view file, std::vector<KeyNames> key_names);

  /// Reports the first byte that is not allowed in a configuration: invalid UTF-8 and control
  /// characters. yaml-cpp guesses encodings, treats byte 4 as the end of the file and replaces
  /// invalid UTF-8, so it must not get such a text.
  bool is_clean(std::string_view text);

  void problem(Place place, std::string path, std::string message);

  /// The text of a line without its end; empty if there is no such line.
  std::string_view line(std::size_t number) const;
  /// "12:3", for a second position in a message.
  std::string place_text(Place place) const;
  const std::vector<KeyNames>& key_names() const { return key_names_; }
  /// The problems in the order of the file.
  std::vector<Problem> take_problems();
  bool has_problems() const { return !problems_.empty(); }
  /// Whether a problem was reported at this path or inside it.
  bool has_problems_in(std::string_view path) const;

 private:
  std::string file_;
  std::vector<KeyNames> key_names_;
  std::vector<std::string_view> lines_;
  std::vector<Problem> problems_;
};

}  // namespace onceproxy::config
