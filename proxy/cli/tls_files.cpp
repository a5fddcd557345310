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

  template <typename TlsSettings>
  void check(const std::string& place, const TlsSettings& settings) {
    const tls::Credentials read = tls::read_credentials(tls_options(settings), system_clock::now());
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

tls::ServerOptions tls_options(const config::ListenerTlsSettings& settings) {
  const bool newest = settings.version_min == config::TlsVersion::tls_1_3;
  return {settings.certificate, settings.key, settings.client_ca,
          settings.client_certificate_required,
          newest ? tls::Version::tls_1_3 : tls::Version::tls_1_2};
}

tls::ClientOptions tls_options(const config::UpstreamTlsSettings& settings) {
  return {settings.ca, settings.server_name, settings.certificate, settings.key};
}

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
  return std::move(checker.found);
}

}  // namespace onceproxy::cli
