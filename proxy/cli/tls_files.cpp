#include "proxy/cli/tls_files.hpp"

#include <algorithm>
#include <chrono>
#include <iterator>

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

  void add(TlsFindings more) {
    std::ranges::move(more.problems, std::back_inserter(found.problems));
    std::ranges::move(more.notes, std::back_inserter(found.notes));
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

tls::ClientOptions client_options(const policies::ListenerTls& tls) {
  return {tls.ca, tls.server_name, tls.certificate, tls.key};
}

TlsFindings check_listener_tls(const policies::ListenerList& listeners, const std::string& place,
                               const std::string& file) {
  Checker checker(file);
  for (std::size_t i = 0; i < listeners.size(); ++i) {
    if (!listeners[i].tls) continue;
    checker.check(place + "[" + std::to_string(i) + "].tls", client_options(*listeners[i].tls));
  }
  return std::move(checker.found);
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
  for (std::size_t i = 0; i < settings.policies.size(); ++i) {
    const auto& delivery = settings.policies[i].delivery;
    if (!delivery) continue;
    const std::string place = "policies[" + std::to_string(i) + "].delivery.listeners";
    checker.add(check_listener_tls(*delivery->listeners, place, config_file));
  }
  return std::move(checker.found);
}

}  // namespace onceproxy::cli
