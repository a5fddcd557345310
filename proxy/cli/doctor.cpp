// The command line of `onceproxy doctor`: all checks, one after the other, as lines or as JSON.
#include <algorithm>
#include <iterator>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "config/load.hpp"
#include "proxy/cli/admin_port.hpp"
#include "proxy/cli/commands.hpp"
#include "proxy/cli/doctor/envoy_check.hpp"
#include "proxy/cli/doctor/host_checks.hpp"
#include "proxy/cli/doctor/network_checks.hpp"
#include "proxy/cli/doctor/store_check.hpp"
#include "proxy/cli/doctor_files.hpp"
#include "proxy/cli/read_file.hpp"
#include "proxy/cli/tls_files.hpp"
#include "proxy/telemetry/json.hpp"

namespace onceproxy::cli {
namespace {

using onceproxy::doctor::Finding;
using onceproxy::doctor::Health;
using telemetry::Json;
using telemetry::JsonArray;
using telemetry::JsonObject;

std::string_view word(Health health) {
  switch (health) {
    case Health::ok:
      return "ok";
    case Health::warn:
      return "warn";
    case Health::fail:
      break;
  }
  return "fail";
}

std::vector<Finding> of_problems(const std::vector<config::Problem>& problems) {
  std::vector<Finding> out;
  for (const config::Problem& problem : problems) {
    config::Problem bare = problem;
    bare.source.clear();
    out.push_back({Health::fail, "config", bare.text(), "`onceproxy check` shows the line"});
  }
  return out;
}

std::vector<Finding> examine(const config::Settings& settings, const std::string& file) {
  std::vector<Finding> all{{Health::ok, "config", file + " is good", ""}};
  const auto add = [&](std::vector<Finding> more) {
    std::ranges::move(more, std::back_inserter(all));
  };
  add(check_policies(settings));
  add(check_files(settings, file));
  add(onceproxy::doctor::check_user());
  onceproxy::doctor::StoreState store = onceproxy::doctor::check_store(settings);
  add(std::move(store.findings));
  add(onceproxy::doctor::check_ports(settings, store.in_use));
  add(onceproxy::doctor::check_upstream(settings, settings.upstream.tls));
  add(onceproxy::doctor::check_clock());
  add(onceproxy::doctor::check_descriptors(settings));
  return all;
}

/// What the Envoy's configuration does to the promises.
std::vector<Finding> examine_envoy(const config::Settings& settings,
                                   const DoctorArguments& arguments) {
  std::vector<Finding> all{{Health::ok, "config", arguments.config + " is good", ""}};
  AdminArguments place;
  place.admin = arguments.envoy;
  const auto port = AdminPort::open(place);
  const auto dump = port ? port->ask("GET", "/config_dump")
                         : tl::expected<std::string, Ending>(tl::unexpected(port.error()));
  if (!dump) {
    all.push_back({Health::fail, "envoy", dump.error().why, "--envoy names Envoy's admin port"});
    return all;
  }
  std::ranges::move(onceproxy::doctor::check_envoy(*dump, settings), std::back_inserter(all));
  return all;
}

void print(const std::vector<Finding>& findings, std::ostream& out) {
  constexpr std::size_t word_width = 6;
  constexpr std::size_t check_width = 13;
  for (const Finding& finding : findings) {
    std::string begin(word(finding.health));
    begin.resize(word_width, ' ');
    begin += finding.check;
    begin.resize(word_width + check_width, ' ');
    out << begin << finding.message;
    if (!finding.remedy.empty()) out << "; " << finding.remedy;
    out << "\n";
  }
}

void print_json(const std::vector<Finding>& findings, Health worst, std::ostream& out) {
  JsonArray checks;
  for (const Finding& finding : findings) {
    Json one = JsonObject(
        {{"health", word(finding.health)}, {"check", finding.check}, {"message", finding.message}});
    if (!finding.remedy.empty()) telemetry::set_member(one, "remedy", finding.remedy);
    checks.push_back(std::move(one));
  }
  const Json report = JsonObject({{"health", word(worst)}, {"checks", std::move(checks)}});
  out << telemetry::json_text(report, 2) << "\n";
}

}  // namespace

int doctor(const DoctorArguments& arguments, const Streams& streams) {
  const std::string& config_file = arguments.config;
  const auto text = read_file(config_file, streams.in);
  if (!text) {
    streams.err << "onceproxy: " << text.error() << "\n";
    return exit_unreadable;
  }
  const auto settings = config::load(*text, config_file, config::process_environment());
  const std::vector<Finding> findings = !settings ? of_problems(settings.error())
                                        : arguments.envoy.empty()
                                            ? examine(*settings, config_file)
                                            : examine_envoy(*settings, arguments);
  Health worst = Health::ok;
  for (const Finding& finding : findings) worst = std::max(worst, finding.health);
  arguments.json ? print_json(findings, worst, streams.out) : print(findings, streams.out);
  return worst == Health::fail ? exit_bad : exit_good;
}

}  // namespace onceproxy::cli
