#include "proxy/admin/bearer.hpp"

#include <strings.h>

#include <array>
#include <cerrno>
#include <fstream>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "proxy/telemetry/log.hpp"

namespace onceproxy::admin {
namespace {

constexpr std::size_t token_bytes_max = 4'096;
constexpr std::string_view scheme = "bearer ";

/// What stands in the file, without white space at its end; empty if there is none.
std::string token_in(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::array<char, token_bytes_max> bytes;
  file.read(bytes.data(), bytes.size());
  std::string token(bytes.data(), static_cast<std::size_t>(file.gcount()));
  token.erase(token.find_last_not_of(" \t\r\n") + 1);
  return token;
}

/// Takes as long whatever differs.
bool same(std::string_view given, std::string_view wanted) {
  unsigned difference = given.size() != wanted.size() ? 1 : 0;
  for (std::size_t i = 0; i < given.size(); ++i) {
    const char other = wanted.empty() ? '\0' : wanted[i % wanted.size()];
    difference |= static_cast<unsigned char>(given[i] ^ other);
  }
  return difference == 0;
}

}  // namespace

Bearer::Bearer(std::string path, std::string key) : path_(std::move(path)), key_(std::move(key)) {
  errno = 0;
  if (!token_in(path_).empty()) return;
  const std::string why = errno == 0 ? "it is empty" : std::generic_category().message(errno);
  throw std::runtime_error(key_ + " " + path_ + ": no token can be read: " + why);
}

bool Bearer::admits(std::string_view authorization) const {
  const std::string token = token_in(path_);
  if (token.empty()) {
    telemetry::log(telemetry::LogLevel::error, "the admin port refuses all requests",
                   {{"error", "no token can be read"}, {"key", key_}, {"file", path_}});
    return false;
  }
  if (authorization.size() < scheme.size() ||
      ::strncasecmp(authorization.data(), scheme.data(), scheme.size()) != 0) {
    return false;
  }
  return same(authorization.substr(scheme.size()), token);
}

}  // namespace onceproxy::admin
