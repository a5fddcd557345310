// The options of `onceproxy deliveries` and `onceproxy dead-letters`.
#include <CLI/CLI.hpp>
#include <memory>

#include "proxy/cli/deliveries.hpp"

namespace onceproxy::cli {
namespace {

using Arguments = std::shared_ptr<DeliveriesArguments>;

void add_filter(CLI::App& command, DeliveriesArguments& arguments) {
  command.add_option("--event", arguments.event,
                     "Only deliveries of the event with this fingerprint");
  command.add_option("--listener", arguments.listener, "Only deliveries to this listener");
  command.add_option("--policy", arguments.policy, "Only deliveries of this policy's events");
  command.add_option(
      "--since", arguments.since,
      "Stored at this time or later: an age (5m, 1h), seconds since 1970, or a time in "
      "UTC");
  command.add_option("--until", arguments.until, "Stored before this time");
}

void add_limit(CLI::App& command, DeliveriesArguments& arguments) {
  command.add_option("--limit", arguments.limit,
                     "The largest number of deliveries; 0: all (default 50)");
}

CLI::App& add(CLI::App& parent, const std::string& name, const std::string& help,
              const Arguments& arguments, const Streams& streams, int& exit_code) {
  // CLI11 keeps references to what options write to; the callback keeps it alive.
  CLI::App* command = parent.add_subcommand(name, help);
  add_admin_options(*command, *arguments, exit_code,
                    [arguments, streams] { return deliveries(*arguments, streams); });
  return *command;
}

Arguments for_action(const std::string& action, const std::string& state) {
  const auto arguments = std::make_shared<DeliveriesArguments>();
  arguments->action = action;
  arguments->state = state;
  return arguments;
}

void add_deliveries_command(CLI::App& app, const Streams& streams, int& exit_code) {
  CLI::App* parent = app.add_subcommand(
      "deliveries", "Show the state of the events that a running onceproxy delivers");
  parent->require_subcommand(1);
  const Arguments listing = for_action("list", "");
  CLI::App& list =
      add(*parent, "list", "List deliveries and their states", listing, streams, exit_code);
  add_filter(list, *listing);
  list.add_option(
      "--state", listing->state,
      "Only deliveries in this state: pending, failed, held, notified, dead, cancelled\n"
      "or removed; several are separated by commas");
  list.add_flag("--undelivered", listing->undelivered, "Only deliveries that have not succeeded");
  add_limit(list, *listing);
  const Arguments showing = for_action("show", "");
  CLI::App& show = add(*parent, "show", "Show an event and the state of each of its deliveries",
                       showing, streams, exit_code);
  show.add_option("EVENT", showing->named, "The event's fingerprint")->required()->expected(1);
  show.add_flag("--undelivered", showing->undelivered, "Only deliveries that have not succeeded");
}

void add_change(CLI::App& parent, const std::string& action, const std::string& help,
                const Streams& streams, int& exit_code) {
  const Arguments arguments = for_action(action, "dead");
  CLI::App& command = add(parent, action, help, arguments, streams, exit_code);
  command.add_option(
      "DELIVERY", arguments->named,
      "A delivery, NUMBER/LISTENER as in the list; without it, those that the filter selects");
  add_filter(command, *arguments);
  command.add_option("--state", arguments->state, "dead or held (default dead)")
      ->check(CLI::IsMember({"dead", "held"}));
  command.add_flag("--all", arguments->all, "All deliveries in this state, without a filter");
  command.add_option("--rate", arguments->rate, "The largest number per second (default 100)")
      ->check(CLI::Range(1, 1'000'000).description(""));
}

}  // namespace

void add_deliveries(CLI::App& app, const Streams& streams, int& exit_code) {
  add_deliveries_command(app, streams, exit_code);
  CLI::App* parent = app.add_subcommand(
      "dead-letters", "List deliveries that failed for good, deliver them again, or drop them");
  parent->require_subcommand(1);
  const Arguments listing = for_action("list", "dead");
  CLI::App& list = add(*parent, "list", "List dead letters", listing, streams, exit_code);
  add_filter(list, *listing);
  list.add_option("--state", listing->state, "dead or held (default dead)")
      ->check(CLI::IsMember({"dead", "held"}));
  add_limit(list, *listing);
  add_change(*parent, "redrive", "Deliver dead letters again", streams, exit_code);
  add_change(*parent, "drop", "Drop dead letters", streams, exit_code);
}

}  // namespace onceproxy::cli
