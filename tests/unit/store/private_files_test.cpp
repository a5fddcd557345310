#include "store/private_files.hpp"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "store_fixture.hpp"

using namespace onceproxy::store;
using namespace onceproxy::store::testing;
namespace fs = std::filesystem;

namespace {

int mode_of(const fs::path& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return static_cast<int>(status.st_mode & 07777);
}

void make(const fs::path& file, fs::perms mode = static_cast<fs::perms>(0644)) {
  std::ofstream(file) << "x";
  fs::permissions(file, mode);
}

struct Reports {
  std::vector<std::string> failed;
  std::vector<std::string> left;
  PrivateFilesReport report{[this](std::string_view text) { failed.emplace_back(text); },
                            [this](std::string_view text) { left.emplace_back(text); }};
};

}  // namespace

TEST_CASE("the store's directory and each of its files become their owner's alone") {
  TemporaryDirectory directory;
  const fs::path path = directory.path();
  const std::vector<std::string> ours{
      "CURRENT",    "LOCK",        "IDENTITY",       "LOGS", "MANIFEST-000004", "000007.sst",
      "000008.log", "000009.blob", "OPTIONS-000011", "LOG",  "forwards-1.audit"};
  for (const std::string& name : ours) make(path / name);
  fs::permissions(path, static_cast<fs::perms>(0755));
  Reports reports;
  make_private(path, reports.report);
  CHECK(mode_of(path) == 0700);
  for (const std::string& name : ours) {
    INFO(name);
    CHECK(mode_of(path / name) == 0600);
  }
  CHECK(reports.failed.empty());
  CHECK(reports.left.empty());
}

TEST_CASE("a directory that the store shares keeps its mode, and what is not the store's too") {
  TemporaryDirectory directory;
  const fs::path path = directory.path();
  make(path / "CURRENT");
  make(path / "somebody-elses");
  fs::create_symlink(path / "somebody-elses", path / "000001.log");
  fs::permissions(path, static_cast<fs::perms>(0755));
  Reports reports;
  make_private(path, reports.report);
  CHECK(mode_of(path) == 0755);
  CHECK(mode_of(path / "CURRENT") == 0600);
  CHECK(mode_of(path / "somebody-elses") == 0644);
  REQUIRE(reports.left.size() == 1);
  CHECK(reports.left[0] == "store: other users may list " + path.string() +
                               ", which keeps its mode because it also holds somebody-elses; give "
                               "the store a directory of its own");
}

TEST_CASE("a volume's own entries do not make a directory a shared one") {
  TemporaryDirectory directory;
  fs::create_directory(directory.path() / "lost+found");
  fs::create_directory(directory.path() / "audit");
  make(directory.path() / ".hidden");
  fs::permissions(directory.path(), static_cast<fs::perms>(0750));
  Reports reports;
  make_private(directory.path(), reports.report);
  CHECK(mode_of(directory.path()) == 0700);
  CHECK(reports.left.empty());
}

TEST_CASE("a store that an earlier version made is tightened as it opens, its audit log too") {
  Fixture fixture;
  fixture.open();
  REQUIRE(fixture.complete(fixture.permit(request(1)), answer(200, "secret")) == Settled::done);
  fixture.store.reset();
  const fs::path path = fixture.options.path;
  std::vector<fs::path> before;
  for (const auto& file : fs::recursive_directory_iterator(path)) before.push_back(file.path());
  for (const fs::path& file : before) {
    fs::permissions(file, static_cast<fs::perms>(fs::is_directory(file) ? 0755 : 0644));
  }
  fs::permissions(path, static_cast<fs::perms>(0755));
  // Files that RocksDB creates follow the umask, as in the program.
  const mode_t earlier = ::umask(0077);
  fixture.open();
  ::umask(earlier);
  CHECK(mode_of(path) == 0700);
  CHECK(mode_of(path / "audit") == 0700);
  for (const fs::path& file : before) {
    INFO(file);
    if (fs::is_regular_file(file)) CHECK(mode_of(file) == 0600);
  }
  CHECK(fixture.seen.failures.empty());
}
