#include "proxy/cli/backtest/input.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <istream>
#include <system_error>

namespace onceproxy::backtest {

std::string Input::failure() const {
  return "cannot read " + path_ + ": " + std::error_code(errno, std::generic_category()).message();
}

tl::expected<Input, std::string> Input::open(const std::string& path) {
  Input input;
  input.path_ = path;
  input.file_.reset(std::fopen(path.c_str(), "rbe"));
  if (!input.file_) return tl::unexpected(input.failure());
  struct stat status {};
  if (fstat(fileno(input.file_.get()), &status) == 0) {
    if (S_ISDIR(status.st_mode)) {
      errno = EISDIR;
      return tl::unexpected(input.failure());
    }
    if (S_ISREG(status.st_mode)) input.size_ = static_cast<std::uint64_t>(status.st_size);
  }
  return input;
}

tl::expected<std::string_view, std::string> Input::read(std::span<char> buffer) {
  if (gunzip_) return read_gzip(buffer);
  auto chunk = read_raw(buffer);
  if (begun_ || !chunk) return chunk;
  begun_ = true;
  if (!begins_like_gzip(*chunk)) return chunk;
  gunzip_ = std::make_unique<Gunzip>();
  compressed_.assign(chunk->begin(), chunk->end());
  rest_ = {compressed_.data(), compressed_.size()};
  return read_gzip(buffer);
}

tl::expected<std::string_view, std::string> Input::read_gzip(std::span<char> buffer) {
  const std::string name = path_.empty() ? "the standard input" : path_;
  std::size_t filled = 0;
  // The format of the log is detected from the first piece, so this is made as large as possible.
  while (filled < buffer.size()) {
    const auto size = gunzip_->feed(rest_, buffer.subspan(filled));
    if (!size) return tl::unexpected("cannot read " + name + ": " + std::string(size.error()));
    filled += *size;
    // Without input it still gives what it holds.
    if (*size > 0 || !rest_.empty()) continue;
    const auto more = read_raw(compressed_);
    if (!more) return more;
    if (more->empty()) {
      if (gunzip_->complete()) break;
      return tl::unexpected("cannot read " + name + ": the gzip file breaks off");
    }
    rest_ = *more;
  }
  return std::string_view(buffer.data(), filled);
}

tl::expected<std::string_view, std::string> Input::read_raw(std::span<char> buffer) {
  std::size_t size = 0;
  if (stream_ != nullptr) {
    stream_->read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    size = static_cast<std::size_t>(stream_->gcount());
    if (stream_->bad()) return tl::unexpected(std::string("cannot read the standard input"));
  } else {
    size = std::fread(buffer.data(), 1, buffer.size(), file_.get());
    if (std::ferror(file_.get()) != 0) return tl::unexpected(failure());
  }
  bytes_read_ += size;
  return std::string_view(buffer.data(), size);
}

}  // namespace onceproxy::backtest
