#include "store/note_table.hpp"

#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

using namespace onceproxy::store;

namespace {
using All = std::vector<std::pair<std::string, std::string>>;
using Changes = std::vector<std::pair<std::string, std::optional<std::string>>>;
}  // namespace

TEST_CASE("a note that is kept is found, and given out once to be written") {
  NoteTable notes;
  CHECK(notes.keep("lease of orders", "1"));
  CHECK(notes.note("lease of orders") == "1");
  CHECK_FALSE(notes.note("lease of rides"));
  CHECK(notes.take() == Changes{{"lease of orders", "1"}});
  CHECK(notes.take().empty());
}

TEST_CASE("of several values of a note only the last one is written") {
  NoteTable notes;
  notes.keep("a", "1");
  notes.keep("a", "2");
  CHECK(notes.take() == Changes{{"a", "2"}});
}

TEST_CASE("a note that was read, or is kept again unchanged, is not written") {
  NoteTable notes;
  notes.found("a", "1");
  CHECK(notes.note("a") == "1");
  CHECK(notes.keep("a", "1"));
  CHECK(notes.take().empty());
}

TEST_CASE("a note that is forgotten is given out without a value, once") {
  NoteTable notes;
  notes.found("a", "1");
  notes.forget("a");
  notes.forget("b");
  CHECK_FALSE(notes.note("a"));
  CHECK(notes.take() == Changes{{"a", std::nullopt}});
  CHECK(notes.take().empty());
}

TEST_CASE("notes are listed by the beginning of their names") {
  NoteTable notes;
  notes.found("b", "4");
  notes.found("ab", "2");
  notes.found("a", "1");
  notes.found("empty", "");
  notes.keep("abc", "3");
  CHECK(notes.notes("a") == All{{"a", "1"}, {"ab", "2"}, {"abc", "3"}});
  CHECK(notes.notes("") == All{{"a", "1"}, {"ab", "2"}, {"abc", "3"}, {"b", "4"}});
  CHECK(notes.notes("c").empty());
}

TEST_CASE("a note larger than the limit is refused, and the former value stays") {
  NoteTable notes;
  notes.keep("a", "1");
  CHECK_FALSE(notes.keep("a", std::string(note_bytes_max + 1, 'x')));
  CHECK(notes.keep("b", std::string(note_bytes_max, 'x')));
  CHECK(notes.note("a") == "1");
  notes.found("c", std::string(note_bytes_max + 1, 'x'));
  CHECK_FALSE(notes.note("c"));
}

TEST_CASE("a full table refuses new notes and keeps the others up to date") {
  NoteTable notes;
  for (std::size_t i = 0; i < notes_max; ++i) CHECK(notes.keep(std::to_string(i), "1"));
  CHECK_FALSE(notes.keep("one more", "1"));
  notes.found("one more", "1");
  CHECK_FALSE(notes.note("one more"));
  CHECK(notes.keep("0", "2"));
  CHECK(notes.note("0") == "2");
}
