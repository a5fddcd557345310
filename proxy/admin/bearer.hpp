// Bearer: who may use the admin port. The token stands in a file and is read for each request, so
// that one that was replaced counts at once; a file that cannot be read, or is empty, admits no
// request (RFC 6750 for the field, RFC 9110, section 11 for the challenge). Thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace onceproxy::admin {

class Bearer {
 public:
  /// Throws std::runtime_error, naming the file, where there is no token in it now. `key` is what
  /// the configuration calls the file.
  explicit Bearer(std::string path, std::string key = "admin.token_file");

  /// `authorization` is the field's value, or empty.
  bool admits(std::string_view authorization) const;

 private:
  const std::string path_;
  const std::string key_;
};

}  // namespace onceproxy::admin
