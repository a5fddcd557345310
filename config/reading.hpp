// Reading: the text of one file while it is read, and what is wrong with it. Lives for one load();
// not thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "config/load.hpp"

namespace onceproxy::config {

struct Place {
  /// From 1; 0: the file as a whole.
  std::size_t line = 0;
  /// Offset in the line, in bytes, from 0.
  std::size_t offset = 0;
};

/// The key names of one map, for unknown keys: what was meant, or where it belongs.
struct KeyNames {
  /// As a message says it: "upstream", "a policy".
  std::string place;
  std::vector<std::string> names;
};

class Reading {
 public:
  /// `text` must outlive it. `key_names` are those of every map there is.
  Reading(std::string_view text, std::string_view file, std::vector<KeyNames> key_names);

  /// Reports the first byte that no configuration may hold: bytes that are not UTF-8, and control
  /// characters. yaml-cpp guesses at encodings, takes byte 4 for the end of the file and replaces
  /// bytes that are not UTF-8, so such text must never reach it.
  bool is_clean(std::string_view text);

  void problem(Place place, std::string path, std::string message);

  /// Without its line end; empty where there is no such line.
  std::string_view line(std::size_t number) const;
  /// "12:3", as messages name a second place.
  std::string place_text(Place place) const;
  const std::vector<KeyNames>& key_names() const { return key_names_; }
  /// In the file's order.
  std::vector<Problem> take_problems();
  bool has_problems() const { return !problems_.empty(); }
  /// Whether anything was reported at this path or inside it.
  bool has_problems_in(std::string_view path) const;

 private:
  std::string file_;
  std::vector<KeyNames> key_names_;
  std::vector<std::string_view> lines_;
  std::vector<Problem> problems_;
};

}  // namespace onceproxy::config
