#include "proxy/cli/read_file.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <istream>
#include <iterator>
#include <memory>
#include <system_error>

namespace onceproxy::cli {

tl::expected<std::string, std::string> read_file(const std::string& path, std::istream& in) {
  if (path != "-") return read_file(path);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

tl::expected<std::string, std::string> read_file(const std::string& path) {
  // std::ifstream opens directories and does not tell why it fails.
  const auto failed = [&] {
    return tl::unexpected("cannot read " + path + ": " +
                          std::error_code(errno, std::generic_category()).message());
  };
  const auto close = [](std::FILE* file) { (void)std::fclose(file); };
  const std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(path.c_str(), "rb"), close);
  if (!file) return failed();
  std::string text;
  std::array<char, 16 * 1024> buffer;
  while (const std::size_t read = std::fread(buffer.data(), 1, buffer.size(), file.get())) {
    text.append(buffer.data(), read);
  }
  if (std::ferror(file.get()) != 0) return failed();
  return text;
}

}  // namespace onceproxy::cli
