#include "recorded_disk.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cstdarg>
#include <fstream>
#include <mutex>
#include <sstream>
#include <utility>

namespace onceproxy::store::crash {
namespace {

using Kind = DiskEvent::Kind;

struct Recording {
  std::string directory;  // with a slash at its end
  std::vector<DiskEvent> events;
  std::map<std::string, std::size_t> names;
  std::size_t next_file = 0;

  struct Descriptor {
    std::size_t file = 0;
    std::string directory;
    bool is_directory = false;
    bool synced = false;  // O_DSYNC
  };
  std::map<int, Descriptor> descriptors;
};

std::recursive_mutex mutex;
Recording* recording = nullptr;

/// libc's.
template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

/// Relative to the recorded directory; nothing where it lies elsewhere.
const std::string* relative(const char* path, std::string& out) {
  if (recording == nullptr || path == nullptr) return nullptr;
  const std::string normal = std::filesystem::path(path).lexically_normal().string();
  if (!(normal + "/").starts_with(recording->directory)) return nullptr;
  out = normal.size() < recording->directory.size() ? std::string()
                                                    : normal.substr(recording->directory.size());
  return &out;
}

Recording::Descriptor* described(int descriptor) {
  if (recording == nullptr) return nullptr;
  const auto found = recording->descriptors.find(descriptor);
  return found == recording->descriptors.end() ? nullptr : &found->second;
}

void add(DiskEvent event) {
  recording->events.push_back(std::move(event));
}

void opened(int descriptor, const std::string& name, int flags) {
  Recording::Descriptor about;
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) return;
  about.is_directory = S_ISDIR(status.st_mode);
  about.directory = name;
  about.synced = (flags & (O_DSYNC | O_SYNC)) != 0;
  if (!about.is_directory) {
    const auto [known, is_new] = recording->names.try_emplace(name, recording->next_file);
    if (is_new) {
      ++recording->next_file;
      add({.kind = Kind::create, .file = known->second, .name = name});
    } else if ((flags & O_TRUNC) != 0) {
      add({.kind = Kind::resize, .file = known->second, .number = 0});
    }
    about.file = known->second;
  }
  recording->descriptors[descriptor] = about;
}

void wrote(int descriptor, const iovec* parts, int count, std::uint64_t at) {
  const Recording::Descriptor* const about = described(descriptor);
  if (about == nullptr) return;
  DiskEvent event{.kind = Kind::write, .file = about->file, .number = at};
  for (int i = 0; i < count; ++i) {
    event.bytes.append(static_cast<const char*>(parts[i].iov_base), parts[i].iov_len);
  }
  add(std::move(event));
  if (about->synced) add({.kind = Kind::sync, .file = about->file});
}

int sync(int descriptor) {
  const std::lock_guard lock(mutex);
  if (const auto* const about = described(descriptor)) {
    if (about->is_directory) {
      add({.kind = Kind::sync_directory, .name = about->directory});
    } else {
      add({.kind = Kind::sync, .file = about->file});
    }
  }
  return 0;
}

}  // namespace

void start_recording(const std::filesystem::path& directory, const Files& initial) {
  const std::lock_guard lock(mutex);
  recording = new Recording;
  recording->directory = directory.lexically_normal().string() + "/";
  for (const auto& [name, bytes] : initial) recording->names[name] = recording->next_file++;
}

void mark(std::uint64_t number, std::size_t stage, std::uint64_t more) {
  const std::lock_guard lock(mutex);
  if (recording == nullptr) return;
  add({.kind = Kind::mark, .file = stage, .number = number, .more = more});
}

std::vector<DiskEvent> stop_recording() {
  const std::lock_guard lock(mutex);
  std::vector<DiskEvent> events = std::move(recording->events);
  delete std::exchange(recording, nullptr);
  return events;
}

Files read_files(const std::filesystem::path& directory) {
  Files out;
  for (const auto& file : std::filesystem::recursive_directory_iterator(directory)) {
    if (!file.is_regular_file()) continue;
    std::ostringstream bytes;
    bytes << std::ifstream(file.path(), std::ios::binary).rdbuf();
    out[std::filesystem::relative(file.path(), directory).string()] = bytes.str();
  }
  return out;
}

void write_files(const std::filesystem::path& directory, const Files& files) {
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  for (const auto& [name, bytes] : files) {
    std::filesystem::create_directories((directory / name).parent_path());
    std::ofstream(directory / name, std::ios::binary) << bytes;
  }
}

}  // namespace onceproxy::store::crash

using namespace onceproxy::store::crash;

// In the place of libc's. Their names are what the linker goes by.
extern "C" {

int open(const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
    va_list arguments;
    va_start(arguments, flags);
    mode = va_arg(arguments, mode_t);
    va_end(arguments);
  }
  static auto* const libc = next<int(const char*, int, ...)>("open");
  const std::lock_guard lock(mutex);
  const int descriptor = libc(path, flags & ~(O_DIRECT | O_DSYNC | O_SYNC), mode);
  std::string name;
  const bool path_only = (flags & O_PATH) != 0;
  if (descriptor >= 0 && !path_only && relative(path, name)) opened(descriptor, name, flags);
  return descriptor;
}

int open64(const char* path, int flags, ...) {
  mode_t mode = 0;
  if ((flags & (O_CREAT | O_TMPFILE)) != 0) {
    va_list arguments;
    va_start(arguments, flags);
    mode = va_arg(arguments, mode_t);
    va_end(arguments);
  }
  return open(path, flags, mode);
}

int close(int descriptor) {
  static auto* const libc = next<int(int)>("close");
  const std::lock_guard lock(mutex);
  if (recording != nullptr) recording->descriptors.erase(descriptor);
  return libc(descriptor);
}

ssize_t write(int descriptor, const void* bytes, size_t size) {
  static auto* const libc = next<ssize_t(int, const void*, size_t)>("write");
  const std::lock_guard lock(mutex);
  const ssize_t written = libc(descriptor, bytes, size);
  if (written > 0 && described(descriptor) != nullptr) {
    const iovec part{const_cast<void*>(bytes), static_cast<size_t>(written)};
    wrote(descriptor, &part, 1,
          static_cast<std::uint64_t>(::lseek(descriptor, 0, SEEK_CUR) - written));
  }
  return written;
}

ssize_t pwrite(int descriptor, const void* bytes, size_t size, off_t at) {
  static auto* const libc = next<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  const std::lock_guard lock(mutex);
  const ssize_t written = libc(descriptor, bytes, size, at);
  const iovec part{const_cast<void*>(bytes), static_cast<size_t>(written > 0 ? written : 0)};
  if (written > 0) wrote(descriptor, &part, 1, static_cast<std::uint64_t>(at));
  return written;
}

/// Whole or not at all: what is written here lies on a disk with room.
ssize_t pwritev(int descriptor, const iovec* parts, int count, off_t at) {
  static auto* const libc = next<ssize_t(int, const iovec*, int, off_t)>("pwritev");
  const std::lock_guard lock(mutex);
  const ssize_t written = libc(descriptor, parts, count, at);
  if (written > 0) wrote(descriptor, parts, count, static_cast<std::uint64_t>(at));
  return written;
}

int ftruncate(int descriptor, off_t size) noexcept {
  static auto* const libc = next<int(int, off_t)>("ftruncate");
  const std::lock_guard lock(mutex);
  const int result = libc(descriptor, size);
  const auto* const about = described(descriptor);
  if (result == 0 && about != nullptr) {
    add({.kind = Kind::resize, .file = about->file, .number = static_cast<std::uint64_t>(size)});
  }
  return result;
}

int rename(const char* from, const char* to) noexcept {
  static auto* const libc = next<int(const char*, const char*)>("rename");
  const std::lock_guard lock(mutex);
  const int result = libc(from, to);
  std::string old_name;
  std::string new_name;
  if (result == 0 && relative(from, old_name) && relative(to, new_name)) {
    add({.kind = Kind::rename, .name = old_name, .to = new_name});
    recording->names[new_name] = recording->names[old_name];
    recording->names.erase(old_name);
  }
  return result;
}

int unlink(const char* path) noexcept {
  static auto* const libc = next<int(const char*)>("unlink");
  const std::lock_guard lock(mutex);
  const int result = libc(path);
  std::string name;
  if (result == 0 && relative(path, name)) {
    add({.kind = Kind::unlink, .name = name});
    recording->names.erase(name);
  }
  return result;
}

int fsync(int descriptor) {
  return sync(descriptor);
}

int fdatasync(int descriptor) {
  return sync(descriptor);
}

/// Promises nothing about a power cut.
int sync_file_range(int, off64_t, off64_t, unsigned) {
  return 0;
}

}  // extern "C"
