// Bearer: the bearer token of the admin port. It is in a file that is read for each request, so a
// new token is effective at once. If the file cannot be read or is empty, every request is refused
// (RFC 6750 for the field, RFC 9110, section 11 for the challenge). Thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace onceproxy::admin {

class Bearer {
 public:
  /// Throws std::runtime_error with the file's name if it contains no token now. `key`: the key of
  /// the file in the configuration.
  explicit Bearer(std::string path, std::string key = "admin.token_file");

  /// `authorization`: the value of the field, or empty.
  bool admits(std::string_view authorization) const;

 private:
  const std::string path_;
  const std::string key_;
};

}  // namespace onceproxy::admin
