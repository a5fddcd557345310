#include "store/rocksdb/log_notes.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;
namespace fs = std::filesystem;

namespace {

std::string contents(const fs::path& file) {
  std::ostringstream out;
  out << std::ifstream(file, std::ios::binary).rdbuf();
  return out.str();
}

struct Noted {
  TemporaryDirectory directory;
  fs::path file = directory.path() / LogNotes::name;
  LogNotes notes{directory.path()};

  /// What a later start reads.
  std::map<std::uint64_t, LogNotes::Note> read() const {
    LogNotes later(directory.path());
    later.read();
    return later.all();
  }
};

}  // namespace

TEST_CASE("the notes of a log are read by the next start, unless they were forgotten") {
  Noted notes;
  notes.notes.read();
  CHECK(notes.notes.all().empty());
  CHECK_FALSE(notes.notes.note_new(7, {0, true}));
  CHECK_FALSE(notes.notes.note(12, {1'048'576, false}));
  CHECK_FALSE(notes.notes.note(7, {18'446'744'073'709'551'615u, true}));
  auto read = notes.read();
  REQUIRE(read.size() == 2);
  CHECK(read.at(7).bytes == 18'446'744'073'709'551'615u);
  CHECK(read.at(7).strict);
  CHECK(read.at(12).bytes == 1'048'576);
  CHECK_FALSE(read.at(12).strict);
  CHECK_FALSE(notes.notes.forget(7));
  CHECK_FALSE(notes.notes.forget(99));
  read = notes.read();
  CHECK(read.size() == 1);
  CHECK(read.contains(12));
  CHECK_FALSE(notes.notes.find(7));
  CHECK(notes.notes.find(12)->bytes == 1'048'576);
}

TEST_CASE("the notes take one sector for each log there is, however many there were") {
  Noted notes;
  for (std::uint64_t log = 1; log < 200; ++log) {
    REQUIRE_FALSE(notes.notes.note(log, {log, true}));
    if (log > 3) REQUIRE_FALSE(notes.notes.forget(log - 3));
  }
  CHECK(fs::file_size(notes.file) == 4 * 512);
  CHECK(notes.read().size() == 3);
  struct stat status {};
  REQUIRE(::stat(notes.file.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0600);
}

TEST_CASE("a sector of the notes that is damaged says nothing, and the others what they said") {
  Noted notes;
  for (std::uint64_t log : {10, 11, 12}) REQUIRE_FALSE(notes.notes.note(log, {4'096 + log, true}));
  const std::string whole = contents(notes.file);
  const std::size_t line = whole.find('\n', 512) - 512;
  for (std::size_t at = 0; at < line; ++at) {
    std::string damaged = whole;
    damaged[512 + at] = static_cast<char>(damaged[512 + at] ^ 1);
    std::ofstream(notes.file, std::ios::binary) << damaged;
    const auto read = notes.read();
    INFO("byte " << at);
    CHECK(read.size() == 2);
    CHECK_FALSE(read.contains(11));
  }
  for (const std::string& noise : {std::string(5'000, '\xff'), std::string(5'000, ' '),
                                   std::string("1 2 strict"), std::string()}) {
    std::ofstream(notes.file, std::ios::binary) << noise;
    CHECK(notes.read().empty());
  }
}

TEST_CASE("notes that vanished or were replaced while they are open are told") {
  Noted notes;
  REQUIRE_FALSE(notes.notes.note(1, {1, true}));
  CHECK_FALSE(notes.notes.problem());
  fs::rename(notes.file, notes.directory.path() / "moved");
  CHECK(notes.notes.problem() == "LOGS is gone");
  std::ofstream(notes.file) << "another";
  CHECK(notes.notes.problem() == "LOGS was replaced");
  fs::rename(notes.directory.path() / "moved", notes.file);
  CHECK_FALSE(notes.notes.problem());
}

TEST_CASE("a note that cannot be written is an error, and not a note") {
  Noted notes;
  fs::create_directory(notes.file);
  CHECK(notes.notes.note(1, {1, true}));
  CHECK_FALSE(notes.notes.find(1));
  CHECK_THROWS_AS(notes.notes.read(), std::system_error);
}
