#include "proxy/cli/doctor_files.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "proxy/cli/password_file.hpp"
#include "proxy/cli/read_file.hpp"
#include "proxy/cli/tls_files.hpp"

namespace onceproxy::cli {
namespace {

bool others_can_read(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0;
}

void check_token(const std::string& path, const std::string& key, doctor::Findings& out) {
  if (path.empty()) return;
  const auto token = read_file(path);
  if (!token) {
    return out.fail(key + ": " + token.error(), "make the file readable to this user");
  }
  if (token->find_first_not_of(" \t\r\n") == std::string::npos) {
    return out.fail(key + ": " + path + " holds no token", "write one into it");
  }
  if (others_can_read(path)) {
    return out.warn(key + ": other users can reach " + path, "chmod 600 " + path);
  }
  out.ok(key + ": " + path + " holds a token");
}

void check_tls(const config::Settings& settings, const std::string& config_file,
               doctor::Findings& out) {
  const TlsFindings found = check_tls_files(settings, config_file);
  for (const config::Problem& problem : found.problems) {
    out.fail(problem.path + ": " + problem.message, "correct the file, or name another");
  }
  for (const std::string& note : found.notes) {
    out.warn(note, "check whether this is intended");
  }
}

void check_password(const config::Settings& settings, const std::string& config_file,
                    doctor::Findings& out) {
  if (!settings.postgres || settings.postgres->password_file.empty()) return;
  const std::string path = settings.postgres->password_file.string();
  const auto problems = check_password_file(settings, config_file);
  if (!problems.empty()) {
    return out.fail(problems[0].path + ": " + problems[0].message, "correct the file");
  }
  if (others_can_read(path)) {
    return out.warn("store.postgres.password_file: other users can reach " + path,
                    "chmod 600 " + path);
  }
  out.ok("store.postgres.password_file: " + path + " holds a password");
}

void check_capture(const config::Settings& settings, doctor::Findings& out) {
  if (!settings.log.capture) return;
  const std::string& path = settings.log.capture->path;
  const std::filesystem::path above = std::filesystem::absolute(path).parent_path();
  if (::access(above.c_str(), W_OK | X_OK) != 0) {
    return out.fail("log.capture.path: " + above.string() + " cannot be written",
                    "make it writable to this user, or name another file");
  }
  out.ok("log.capture.path: " + path + " can be written");
}

}  // namespace

std::vector<doctor::Finding> check_policies(const config::Settings& settings) {
  using Mode = policies::Enforcement::Mode;
  doctor::Findings out("policies");
  if (settings.policies.empty()) {
    out.warn("no policies are configured, so every request is forwarded unprotected",
             "write `policies`");
  }
  for (const policies::Policy& policy : settings.policies) {
    const auto& [mode, percent] = policy.enforcement;
    if (mode == Mode::enforce && percent == 100) continue;
    const std::string how = mode == Mode::off      ? "is off"
                            : mode == Mode::shadow ? "is in shadow mode"
                                                   : "holds for " + std::to_string(percent) + "%";
    out.warn(policy.name + " " + how,
             "once its metrics are as expected, write enforcement: "
             "{mode: enforce, percent: 100}");
  }
  if (out.empty()) out.ok(std::to_string(settings.policies.size()) + " in force");
  return out.take();
}

std::vector<doctor::Finding> check_files(const config::Settings& settings,
                                         const std::string& config_file) {
  doctor::Findings out("files");
  check_token(settings.admin_token_file, "admin.token_file", out);
  check_token(settings.admin_read_token_file, "admin.read_token_file", out);
  check_tls(settings, config_file, out);
  check_password(settings, config_file, out);
  check_capture(settings, out);
  if (out.empty()) out.ok("tokens, certificates and keys are valid");
  return out.take();
}

}  // namespace onceproxy::cli
