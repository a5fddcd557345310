#include "proxy/cli/password_file.hpp"

#include "proxy/cli/read_file.hpp"

namespace onceproxy::cli {

std::vector<config::Problem> check_password_file(const config::Settings& settings,
                                                 const std::string& config_file) {
  if (!settings.postgres || settings.postgres->password_file.empty()) return {};
  const std::string path = settings.postgres->password_file.string();
  const auto text = read_file(path);
  std::string wrong;
  if (!text) {
    wrong = text.error();
  } else if (text->empty() || text->front() == '\n' || text->front() == '\r') {
    wrong = path + " has no password in its first line";
  }
  if (wrong.empty()) return {};
  return {{config_file, 0, 0, "store.postgres.password_file", wrong, ""}};
}

}  // namespace onceproxy::cli
