#include "store/rocksdb/log_notes.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <string_view>
#include <utility>

#include "store/rocksdb/crc32c.hpp"

namespace onceproxy::store {
namespace {

constexpr std::size_t sector = 512;
constexpr std::size_t slots_max = 4'096;

std::error_code last_error() {
  return {errno, std::generic_category()};
}

std::string sum_of(std::string_view text) {
  std::array<char, 9> out{};
  std::snprintf(out.data(), out.size(), "%08x", crc32c(text));
  return out.data();
}

std::string line_of(std::uint64_t log, const LogNotes::Note& note) {
  std::string out =
      std::to_string(log) + " " + std::to_string(note.bytes) + (note.strict ? " strict" : " loose");
  return out + " " + sum_of(out) + "\n";
}

std::optional<std::uint64_t> number(std::string_view digits) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

/// Of a sector that says something.
std::optional<std::pair<std::uint64_t, LogNotes::Note>> parse(std::string_view text) {
  std::array<std::string_view, 4> words;
  std::string_view rest = text.substr(0, text.find('\n'));
  for (std::string_view& word : words) {
    word = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(rest.size(), word.size() + 1));
  }
  const auto& [log, bytes, kind, sum] = words;
  const bool known = kind == "strict" || kind == "loose";
  const std::size_t summed = log.size() + bytes.size() + kind.size() + 2;
  const auto log_number = number(log);
  const auto log_bytes = number(bytes);
  if (!known || !log_number || !log_bytes || sum != sum_of(text.substr(0, summed))) {
    return std::nullopt;
  }
  return std::pair(*log_number, LogNotes::Note{*log_bytes, kind == "strict"});
}

/// A new name in a directory is on disk when the directory is.
std::error_code sync_directory(const std::filesystem::path& directory) {
  const int file = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (file < 0) return last_error();
  const std::error_code error = ::fsync(file) != 0 ? last_error() : std::error_code();
  ::close(file);
  return error;
}

}  // namespace

void LogNotes::read() {
  close();
  const std::lock_guard lock(mutex_);
  notes_.clear();
  slots_.clear();
  const std::filesystem::path path = directory_ / name;
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0 && errno == ENOENT) return;
  if (file < 0) throw std::system_error(last_error(), path.string());
  std::array<char, sector> text{};
  ssize_t got = 0;
  while (slots_.size() < slots_max && (got = ::read(file, text.data(), text.size())) > 0) {
    const auto parsed = parse({text.data(), static_cast<std::size_t>(got)});
    slots_.push_back(parsed ? parsed->first : 0);
    if (parsed) notes_[parsed->first] = parsed->second;
  }
  const std::error_code error = got < 0 ? last_error() : std::error_code();
  ::close(file);
  if (error) throw std::system_error(error, path.string());
}

void LogNotes::close() {
  const std::lock_guard lock(mutex_);
  if (file_ >= 0) ::close(std::exchange(file_, -1));
}

std::error_code LogNotes::open() {
  if (file_ >= 0) return {};
  const std::filesystem::path path = directory_ / name;
  file_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_DSYNC | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (file_ < 0) return last_error();
  if (const std::error_code error = sync_directory(directory_)) {
    ::close(std::exchange(file_, -1));
    return error;
  }
  return {};
}

std::error_code LogNotes::write(std::size_t slot, const std::string& text) {
  if (const std::error_code error = open()) return error;
  std::array<char, sector> bytes{};
  std::ranges::copy(text, bytes.begin());
  const ssize_t written =
      ::pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(slot * sector));
  if (written == static_cast<ssize_t>(bytes.size())) return {};
  return written < 0 ? last_error() : std::make_error_code(std::errc::no_space_on_device);
}

std::size_t LogNotes::free_slot() const {
  const auto found = std::ranges::find(slots_, std::uint64_t{0});
  return static_cast<std::size_t>(found - slots_.begin());
}

std::error_code LogNotes::note(std::uint64_t log, Note note) {
  const std::lock_guard lock(mutex_);
  const auto known = std::ranges::find(slots_, log);
  const std::size_t slot =
      known != slots_.end() ? static_cast<std::size_t>(known - slots_.begin()) : free_slot();
  if (slot >= slots_max) return {};
  if (const std::error_code error = write(slot, line_of(log, note))) return error;
  if (slot == slots_.size()) slots_.push_back(0);
  slots_[slot] = log;
  notes_[log] = note;
  return {};
}

std::error_code LogNotes::note_new(std::uint64_t log, Note about) {
  if (const std::error_code error = sync_directory(directory_)) return error;
  return note(log, about);
}

std::error_code LogNotes::forget(std::uint64_t log) {
  const std::lock_guard lock(mutex_);
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) {
    if (slots_[slot] != log) continue;
    if (const std::error_code error = write(slot, "")) return error;
    slots_[slot] = 0;
  }
  notes_.erase(log);
  return {};
}

std::optional<LogNotes::Note> LogNotes::find(std::uint64_t log) const {
  const std::lock_guard lock(mutex_);
  const auto found = notes_.find(log);
  return found == notes_.end() ? std::nullopt : std::optional(found->second);
}

std::map<std::uint64_t, LogNotes::Note> LogNotes::all() const {
  const std::lock_guard lock(mutex_);
  return notes_;
}

std::optional<std::string> LogNotes::problem() const {
  const std::lock_guard lock(mutex_);
  if (file_ < 0) return std::nullopt;
  struct stat opened {};
  struct stat named {};
  if (::fstat(file_, &opened) != 0) return std::nullopt;
  if (::stat((directory_ / name).c_str(), &named) != 0) return std::string(name) + " is gone";
  if (opened.st_dev == named.st_dev && opened.st_ino == named.st_ino) return std::nullopt;
  return std::string(name) + " was replaced";
}

}  // namespace onceproxy::store
