#include "store/rocksdb/backup.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <system_error>

#include "store/system_time.hpp"

namespace onceproxy::store {

namespace fs = std::filesystem;

std::uint64_t BackupContents::bytes() const {
  std::uint64_t sum = 0;
  for (const File& file : files) sum += file.bytes;
  return sum;
}

namespace backup {
namespace {

constexpr std::string_view first_line = "onceproxy backup 1";
constexpr std::uint64_t whole_file = std::numeric_limits<std::uint64_t>::max();
constexpr std::size_t piece_bytes = std::size_t{1} << 20;

[[noreturn]] void fail(const fs::path& path, const std::string& what) {
  throw std::runtime_error("backup " + path.string() + ": " + what);
}

[[noreturn]] void fail_system(const fs::path& path, const std::string& what, int error) {
  fail(path, what + " (" + std::generic_category().message(error) + ")");
}

class Descriptor {
 public:
  Descriptor(const fs::path& path, int flags, mode_t mode = 0)
      : value_(::open(path.c_str(), flags | O_CLOEXEC, mode)) {
    if (value_ < 0) fail_system(path, "cannot be opened", errno);
  }
  ~Descriptor() { ::close(value_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }

 private:
  const int value_;
};

void write_all(const fs::path& path, int file, const char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t written = ::write(file, data, size);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_system(path, "cannot be written", errno);
    data += written;
    size -= static_cast<std::size_t>(written);
  }
}

void sync(const fs::path& path, int file) {
  if (::fsync(file) != 0) fail_system(path, "cannot be written to the disk", errno);
}

void write_file(const fs::path& path, const std::string& text) {
  const Descriptor file(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
  write_all(path, file.get(), text.data(), text.size());
  sync(path, file.get());
}

/// Regular files by their paths below `directory`, in order; BACKUP left out.
std::vector<std::string> files_below(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(directory)) {
    const std::string name = entry.path().lexically_relative(directory).string();
    if (entry.is_regular_file() && name != list_name) names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

/// `name`: what a line of the list says. One that leads out of the directory is none of ours.
bool is_inside(const std::string& name) {
  const fs::path path(name);
  return !name.empty() && path.is_relative() &&
         std::none_of(path.begin(), path.end(), [](const fs::path& part) { return part == ".."; });
}

}  // namespace

void make_directory(const fs::path& directory, const fs::path& store) {
  if (!directory.is_absolute()) fail(directory, "not an absolute path");
  std::error_code error;
  fs::create_directories(directory.parent_path(), error);
  const fs::path real = fs::weakly_canonical(directory, error);
  const fs::path inside = real.lexically_relative(fs::weakly_canonical(store, error));
  if (!inside.empty() && *inside.begin() != "..") {
    fail(directory, "it is in the store's own directory; choose another place");
  }
  if (::mkdir(directory.c_str(), 0700) == 0) return;
  if (errno != EEXIST) fail_system(directory, "cannot be created", errno);
  if (!fs::is_directory(directory, error)) fail(directory, "not a directory");
  const bool empty = fs::is_empty(directory, error);
  if (error) fail_system(directory, "cannot be read", error.value());
  if (!empty) fail(directory, "it is not empty; name a directory that does not exist");
}

bool link_file(const fs::path& from, const fs::path& to) {
  if (::link(from.c_str(), to.c_str()) == 0) return true;
  const bool cannot = errno == EXDEV || errno == EPERM || errno == EOPNOTSUPP || errno == EMLINK;
  if (!cannot) fail_system(from, "cannot be linked", errno);
  return false;
}

bool can_link(const fs::path& store, const fs::path& directory) {
  const fs::path probe = directory / ".probe";
  if (!link_file(store / "CURRENT", probe)) return false;
  fs::remove(probe);
  return true;
}

void copy_file(const fs::path& from, const fs::path& to, std::uint64_t bytes,
               const std::atomic<bool>& stop) {
  const Descriptor in(from, O_RDONLY);
  const Descriptor out(to, O_WRONLY | O_CREAT | O_EXCL, 0600);
  std::vector<char> piece(piece_bytes);
  while (bytes > 0) {
    if (stop) fail(to, "interrupted");
    const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, piece.size()));
    const ssize_t got = ::read(in.get(), piece.data(), wanted);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_system(from, "cannot be read", errno);
    if (got == 0 && bytes != whole_file) fail(from, "shorter than it was");
    if (got == 0) break;
    write_all(to, out.get(), piece.data(), static_cast<std::size_t>(got));
    if (bytes != whole_file) bytes -= static_cast<std::uint64_t>(got);
  }
  sync(to, out.get());
}

void sync_directory(const fs::path& directory) {
  const Descriptor opened(directory, O_RDONLY | O_DIRECTORY);
  sync(directory, opened.get());
}

void link_files(const fs::path& store, const StoreFiles& files, const fs::path& to) {
  const std::atomic<bool> never = false;
  for (const std::string& name : files.tables) {
    if (!link_file(store / name, to / name)) {
      fail(to,
           "the store's file system has no hard links; stop the program, and copy the store's "
           "directory");
    }
  }
  for (const std::string& name : files.options) {
    copy_file(store / name, to / name, whole_file, never);
  }
  copy_file(store / files.manifest, to / files.manifest, files.manifest_bytes, never);
  write_file(to / "CURRENT", files.manifest + "\n");
}

void copy_files(const fs::path& from, const fs::path& to, const std::atomic<bool>& stop) {
  for (const auto& entry : fs::directory_iterator(from)) {
    if (!entry.is_regular_file()) continue;
    copy_file(entry.path(), to / entry.path().filename(), entry.file_size(), stop);
  }
}

void copy_audit(const fs::path& store, const fs::path& to, const std::atomic<bool>& stop) {
  const fs::path from = store / "audit";
  std::error_code error;
  if (!fs::is_directory(from, error)) return;
  if (::mkdir((to / "audit").c_str(), 0700) != 0) fail_system(to, "cannot be written", errno);
  for (const auto& entry : fs::directory_iterator(from)) {
    // The oldest file may go at any time.
    const std::uint64_t bytes = entry.file_size(error);
    if (error || entry.path().extension() != ".audit") continue;
    try {
      copy_file(entry.path(), to / "audit" / entry.path().filename(), bytes, stop);
    } catch (const std::runtime_error&) {
      if (stop || fs::exists(entry.path(), error)) throw;
    }
  }
  sync_directory(to / "audit");
}

BackupContents seal(const fs::path& directory) {
  BackupContents contents;
  std::ostringstream text;
  text << first_line << "\n";
  for (const std::string& name : files_below(directory)) {
    contents.files.push_back({name, fs::file_size(directory / name)});
    text << "file " << contents.files.back().bytes << " " << name << "\n";
  }
  text << "end " << contents.files.size() << "\n";
  sync_directory(directory);
  write_file(directory / list_name, text.str());
  sync_directory(directory);
  sync_directory(directory.parent_path());
  return contents;
}

namespace {

/// What a failure leaves is no backup, takes space, and would keep the next attempt from using the
/// directory. One that was there before stays, empty as it was.
class RemovedUnlessSealed {
 public:
  RemovedUnlessSealed(const fs::path& directory, bool was_there)
      : directory_(directory), was_there_(was_there) {}
  ~RemovedUnlessSealed() {
    if (sealed_) return;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory_, error)) {
      std::error_code ignored;
      fs::remove_all(entry.path(), ignored);
    }
    if (!was_there_) fs::remove(directory_, error);
  }
  RemovedUnlessSealed(const RemovedUnlessSealed&) = delete;
  RemovedUnlessSealed& operator=(const RemovedUnlessSealed&) = delete;
  void sealed() { sealed_ = true; }

 private:
  const fs::path& directory_;
  const bool was_there_;
  bool sealed_ = false;
};

/// The file's time says when. Without it only the age of the backup is not known.
void note_success(const fs::path& store) {
  const fs::path note = store / success_name;
  const int file = ::open(note.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return;
  ::futimens(file, nullptr);
  ::close(file);
}

}  // namespace

BackupContents make(const fs::path& store, const fs::path& directory, const std::atomic<bool>& stop,
                    const std::function<void(const fs::path& to)>& snapshot) {
  const bool was_there = fs::exists(directory);
  make_directory(directory, store);
  RemovedUnlessSealed made(directory, was_there);
  if (can_link(store, directory)) {
    snapshot(directory);
  } else {
    const fs::path staging = store / staging_name;
    struct Removed {
      const fs::path& path;
      ~Removed() {
        std::error_code ignored;
        fs::remove_all(path, ignored);
      }
    } const removed{staging};
    fs::remove_all(staging);
    fs::create_directory(staging);
    snapshot(staging);
    copy_files(staging, directory, stop);
  }
  copy_audit(store, directory, stop);
  BackupContents contents = seal(directory);
  made.sealed();
  note_success(store);
  return contents;
}

std::optional<std::chrono::system_clock::time_point> last_success(const fs::path& store) {
  struct stat note {};
  if (::stat((store / success_name).c_str(), &note) != 0) return std::nullopt;
  return system_time_of(note.st_mtim.tv_sec);
}

BackupContents read(const fs::path& directory) {
  std::ifstream in(directory / list_name);
  std::string line;
  if (!in || !std::getline(in, line)) {
    fail(directory, "not a backup, or not a whole one: it has no BACKUP");
  }
  if (line != first_line) fail(directory, "written by another version: " + line);
  BackupContents contents;
  bool whole = false;
  while (!whole && std::getline(in, line)) {
    std::istringstream words(line);
    std::string word;
    std::uint64_t number = 0;
    words >> word >> number;
    if (word == "end") {
      whole = words && number == contents.files.size();
      break;
    }
    std::string name;
    words.ignore(1);
    std::getline(words, name);
    if (word != "file" || !is_inside(name)) fail(directory, "BACKUP is damaged: " + line);
    contents.files.push_back({name, number});
  }
  if (!whole) fail(directory, "BACKUP is damaged: it ends early");
  for (const BackupContents::File& file : contents.files) {
    std::error_code error;
    const std::uint64_t bytes = fs::file_size(directory / file.name, error);
    if (error) fail(directory, file.name + " is missing");
    if (bytes != file.bytes) {
      fail(directory, file.name + " has " + std::to_string(bytes) + " bytes instead of " +
                          std::to_string(file.bytes));
    }
  }
  return contents;
}

}  // namespace backup
}  // namespace onceproxy::store
