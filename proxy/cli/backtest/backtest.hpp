// Backtest: past requests through the policies of a configuration, and what each policy would have
// done with them. Every policy counts as enforced for all of its requests, also if the
// configuration says `shadow` or a percentage: the question is what it would do. One that is off
// passes everything, as it says.
//
// It touches no store and no socket. Not thread-safe.
#pragma once

#include <cstddef>
#include <string>

#include "config/settings.hpp"
#include "policies/policy_set.hpp"
#include "proxy/cli/backtest/logged_request.hpp"
#include "proxy/cli/backtest/report.hpp"
#include "proxy/cli/backtest/simulation.hpp"

namespace onceproxy::backtest {

class Backtest {
 public:
  /// `settings` must outlive it. `entries_max` is Simulation's.
  Backtest(const config::Settings& settings, std::size_t entries_max);

  /// The next request of the log. Time does not go back: one that is older than the one before it
  /// counts as being as late as that one, and is reported. False: too much is remembered; it was
  /// not counted.
  [[nodiscard]] bool add(const LoggedRequest& request);
  void add_bad_line(std::uint64_t line, std::string why);
  std::uint64_t requests() const { return report_.requests; }

  /// Decides about what still waits. Call once, at the end.
  Report finish();

 private:
  Moment advance(Moment time);
  void note_missing(const policies::Policy& policy, const policies::RequestView& view,
                    policies::Document& body);
  bool add_covered(Moment now, const policies::Policy& policy, const policies::RequestView& view,
                   policies::Document& body, const LoggedRequest& request);
  void decide(const policies::Policy& policy, gate::Decision decision);

  const config::Settings& settings_;
  const policies::PolicySet policies_;
  Report report_;
  Simulation simulation_;
};

}  // namespace onceproxy::backtest
