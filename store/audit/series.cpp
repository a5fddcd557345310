#include "store/audit/series.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <system_error>
#include <utility>

namespace onceproxy::store {
namespace {

constexpr std::uint64_t file_bytes_most = std::uint64_t{8} << 20;
constexpr std::uint64_t file_bytes_least = std::uint64_t{64} << 10;
/// A file that is larger than this program's files is read up to here.
constexpr std::uint64_t read_bytes_max = 4 * file_bytes_most;
constexpr std::string_view suffix = ".audit";

std::string failure(std::string_view what, const std::filesystem::path& path) {
  return std::string(what) + " " + path.string() + ": " + std::generic_category().message(errno);
}

WallTime modified(const struct stat& status) {
  return WallTime(std::chrono::milliseconds(std::int64_t{status.st_mtim.tv_sec} * 1'000 +
                                            status.st_mtim.tv_nsec / 1'000'000));
}

std::optional<std::pair<dev_t, ino_t>> identity(const std::filesystem::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return std::nullopt;
  return std::pair(status.st_dev, status.st_ino);
}

}  // namespace

class AuditSeries::Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() { ::close(number_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int number() const { return number_; }

 private:
  const int number_;
};

AuditSeries::AuditSeries(std::filesystem::path directory, std::string name, AuditLimits limits,
                         Heading heading)
    : directory_(std::move(directory)),
      name_(std::move(name)),
      limits_(limits),
      heading_(std::move(heading)),
      file_bytes_max_(std::clamp(limits.bytes_max / 8, file_bytes_least, file_bytes_most)) {}

AuditSeries::~AuditSeries() = default;

std::filesystem::path AuditSeries::path_of(std::uint64_t number) const {
  return directory_ / (name_ + "-" + std::to_string(number) + std::string(suffix));
}

void AuditSeries::open() {
  const std::lock_guard lock(mutex_);
  parent_ = identity(directory_.parent_path());
  const std::string prefix = name_ + "-";
  for (const auto& found : std::filesystem::directory_iterator(directory_)) {
    const std::string name = found.path().filename().string();
    if (!name.starts_with(prefix) || !name.ends_with(suffix)) continue;
    const char* const begin = name.data() + prefix.size();
    const char* const end = name.data() + name.size() - suffix.size();
    File file;
    const auto [rest, error] = std::from_chars(begin, end, file.number);
    struct stat status {};
    // This program's files have lower numbers, so the file is another program's.
    if (file.number >> 62 != 0) continue;
    if (error != std::errc() || rest != end || ::stat(found.path().c_str(), &status) != 0) continue;
    file.ended = modified(status);
    file.bytes = static_cast<std::uint64_t>(status.st_size);
    bytes_ += file.bytes;
    files_.push_back(file);
  }
  std::ranges::sort(files_, {}, &File::number);
  for (std::size_t i = 1; i < files_.size(); ++i) files_[i].begun = files_[i - 1].ended;
  // A process that starts again and again must not leave a file each time. Its last entry may be
  // torn; readers pass over that.
  if (!files_.empty() && files_.back().bytes < file_bytes_max_ / 2) open_last();
}

std::optional<std::string> AuditSeries::append(std::string_view entries, WallTime now) {
  if (entries.empty()) return std::nullopt;
  const std::lock_guard lock(mutex_);
  const bool full = !files_.empty() && files_.back().bytes > 0 &&
                    (files_.back().bytes + entries.size() > file_bytes_max_ ||
                     now - limits_.retention / 8 >= files_.back().begun);
  if (current_ == nullptr || full) {
    if (auto error = begin_file(now)) return error;
  }
  File& file = files_.back();
  std::string headed;
  if (file.bytes == 0 && heading_) {
    headed = heading_(now);
    entries = headed.append(entries);
  }
  const ssize_t written = ::write(current_->number(), entries.data(), entries.size());
  if (written > 0) {
    file.bytes += static_cast<std::uint64_t>(written);
    bytes_ += static_cast<std::uint64_t>(written);
  }
  file.ended = now;
  if (unsynced_.empty() || unsynced_.back() != current_) unsynced_.push_back(current_);
  if (written == static_cast<ssize_t>(entries.size())) return std::nullopt;
  if (written >= 0) errno = ENOSPC;  // the only reason for a file to take a part
  current_.reset();
  return failure("cannot write to", path_of(file.number));
}

std::optional<std::string> AuditSeries::begin_file(WallTime now) {
  current_.reset();
  forget_above(limits_.bytes_max - std::min(limits_.bytes_max, file_bytes_max_));
  // One that a failure left empty is used again.
  if (files_.empty() || files_.back().bytes > 0) {
    files_.push_back({files_.empty() ? 1 : files_.back().number + 1, now, now, 0});
  }
  files_.back().begun = now;
  return open_last();
}

std::optional<std::string> AuditSeries::open_last() {
  const std::filesystem::path path = path_of(files_.back().number);
  const int descriptor =
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (descriptor < 0) return failure("cannot open", path);
  current_ = std::make_shared<Descriptor>(descriptor);
  return std::nullopt;
}

/// Only where it was: in what has come in the place of a volume that is gone, it would hide the
/// loss. False if there is none now.
bool AuditSeries::make_directory_again() const {
  if (identity(directory_)) return true;
  const bool same = parent_ && identity(directory_.parent_path()) == parent_;
  return same && ::mkdir(directory_.c_str(), S_IRWXU) == 0;
}

std::optional<std::string> AuditSeries::check() {
  const std::lock_guard lock(mutex_);
  // The next append reports a failure of this one.
  const bool there = make_directory_again();
  if (current_ == nullptr) return std::nullopt;
  struct stat status {};
  const std::filesystem::path path = path_of(files_.back().number);
  if (::fstat(current_->number(), &status) != 0) return failure("cannot look at", path);
  const auto named = there ? identity(path) : std::nullopt;
  if (named == std::pair(status.st_dev, status.st_ino)) return std::nullopt;
  current_.reset();
  if (named) return path.string() + " was replaced, and its entries are lost";
  bytes_ -= files_.back().bytes;
  files_.pop_back();
  return path.string() + " was deleted, and its entries are lost";
}

std::optional<std::string> AuditSeries::sync() {
  std::vector<Shared> unsynced;
  {
    const std::lock_guard lock(mutex_);
    unsynced.swap(unsynced_);
  }
  std::optional<std::string> problem;
  for (const Shared& descriptor : unsynced) {
    if (::fdatasync(descriptor->number()) != 0) problem = failure("cannot sync", directory_);
  }
  return problem;
}

void AuditSeries::expire(WallTime now) {
  const std::lock_guard lock(mutex_);
  while (!files_.empty() && files_.front().ended < now - limits_.retention) {
    if (files_.size() == 1) current_.reset();
    forget_first();
  }
  forget_above(limits_.bytes_max - std::min(limits_.bytes_max, 2 * file_bytes_max_));
}

/// Never the last file, which may be written to.
void AuditSeries::forget_above(std::uint64_t bytes_max) {
  while (files_.size() > 1 && bytes_ > bytes_max) forget_first();
}

void AuditSeries::forget_first() {
  // One that cannot be removed is found again by the next start.
  ::unlink(path_of(files_.front().number).c_str());
  bytes_ -= files_.front().bytes;
  files_.pop_front();
}

std::vector<AuditSeries::File> AuditSeries::files() const {
  const std::lock_guard lock(mutex_);
  return {files_.begin(), files_.end()};
}

std::optional<std::string> AuditSeries::read(std::uint64_t number) const {
  const int opened = ::open(path_of(number).c_str(), O_RDONLY | O_CLOEXEC);
  if (opened < 0) return std::nullopt;
  const Descriptor descriptor(opened);
  struct stat status {};
  if (::fstat(opened, &status) != 0) return std::nullopt;
  std::string bytes(std::min(static_cast<std::uint64_t>(status.st_size), read_bytes_max), '\0');
  std::size_t end = 0;
  while (end < bytes.size()) {
    const ssize_t got = ::read(opened, bytes.data() + end, bytes.size() - end);
    if (got < 0) return std::nullopt;
    if (got == 0) break;
    end += static_cast<std::size_t>(got);
  }
  bytes.resize(end);
  return bytes;
}

std::uint64_t AuditSeries::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace onceproxy::store
