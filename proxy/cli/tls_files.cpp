#include "proxy/cli/tls_files.hpp"

#include <chrono>

#include "config/load.hpp"
#include "proxy/tls/credentials.hpp"

namespace onceproxy::cli {
namespace {

using std::chrono::system_clock;

class Checker {
 public:
  explicit Checker(const std::string& file) : file_(file) {}

  template <typename Options>
  void check(const std::string& place, const Options& options) {
    const tls::Credentials read = tls::read_credentials(options, system_clock::now());
    for (const tls::Fault& fault : read.faults) {
      const std::string path = place + "." + fault.key;
      if (fault.gravity == tls::Fault::Gravity::note) {
        found.notes.push_back(file_ + ": " + path + ": note: " + fault.message);
      } else {
        found.problems.push_back({file_, 0, 0, path, fault.message, ""});
      }
    }
  }

  TlsFindings found;

 private:
  const std::string& file_;
};

}  // namespace

std::string tls_place(const config::Settings& settings, std::size_t listener) {
  if (settings.listen.size() == 1) return "listen.tls";
  return "listen[" + std::to_string(listener) + "].tls";
}

TlsFindings check_tls_files(const config::Settings& settings, const std::string& config_file) {
  Checker checker(config_file);
  for (std::size_t i = 0; i < settings.listen.size(); ++i) {
    if (settings.listen[i].tls) checker.check(tls_place(settings, i), *settings.listen[i].tls);
  }
  if (settings.upstream.tls) checker.check("upstream.tls", *settings.upstream.tls);
  if (settings.admin && settings.admin->tls) {
    checker.check("admin.listen.tls", *settings.admin->tls);
  }
  if (settings.telemetry && settings.telemetry->tls) {
    checker.check("telemetry.listen.tls", *settings.telemetry->tls);
  }
  if (settings.envoy && settings.envoy->tls) {
    checker.check("envoy.listen.tls", *settings.envoy->tls);
  }
  return std::move(checker.found);
}

}  // namespace onceproxy::cli
