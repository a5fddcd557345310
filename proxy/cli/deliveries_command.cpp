// The options of `onceproxy deliveries` and `onceproxy dead-letters`.
#include <CLI/CLI.hpp>
#include <memory>

#include "proxy/cli/deliveries.hpp"

namespace onceproxy::cli {
namespace {

using Arguments = std::shared_ptr<DeliveriesArguments>;

void add_filter(CLI::App& command, DeliveriesArguments& arguments) {
  command.add_option("--event", arguments.event, "Only of this event: its fingerprint");
  command.add_option("--listener", arguments.listener, "Only to this listener");
  command.add_option("--policy", arguments.policy, "Only of this policy's events");
  command.add_option("--since", arguments.since,
                     "Only of events stored from then on: an age (5m, 1h), seconds since 1970, or "
                     "a time in UTC");
  command.add_option("--until", arguments.until, "Only of events stored before then");
}

void add_limit(CLI::App& command, DeliveriesArguments& arguments) {
  command.add_option("--limit", arguments.limit, "At most this many; 0: all (default 50)");
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
      "deliveries", "Tell what became of the events that a running onceproxy delivers");
  parent->require_subcommand(1);
  const Arguments listing = for_action("list", "");
  CLI::App& list = add(*parent, "list", "List deliveries and how they stand", listing, streams, exit_code);
  add_filter(list, *listing);
  list.add_option("--state", listing->state,
                  "Only pending, failed, held, notified, dead, cancelled or removed ones; several "
                  "with commas");
  list.add_flag("--undelivered", listing->undelivered, "Only those that were not notified");
  add_limit(list, *listing);
  const Arguments showing = for_action("show", "");
  CLI::App& show = add(*parent, "show", "Show an event, and what each listener got", showing,
                       streams, exit_code);
  show.add_option("EVENT", showing->named, "The event's fingerprint")->required()->expected(1);
  show.add_flag("--undelivered", showing->undelivered, "Only listeners that were not notified");
}

void add_change(CLI::App& parent, const std::string& action, const std::string& help,
                const Streams& streams, int& exit_code) {
  const Arguments arguments = for_action(action, "dead");
  CLI::App& command = add(parent, action, help, arguments, streams, exit_code);
  command.add_option("DELIVERY", arguments->named,
                     "NUMBER/LISTENER, as the list names it; none: those of the filter");
  add_filter(command, *arguments);
  command.add_option("--state", arguments->state, "dead, or held ones (default dead)")
      ->check(CLI::IsMember({"dead", "held"}));
  command.add_flag("--all", arguments->all, "Every one, without a filter");
  command.add_option("--rate", arguments->rate, "So many a second at most (default 100)")
      ->check(CLI::Range(1, 1'000'000).description(""));
}

}  // namespace

void add_deliveries(CLI::App& app, const Streams& streams, int& exit_code) {
  add_deliveries_command(app, streams, exit_code);
  CLI::App* parent = app.add_subcommand(
      "dead-letters", "List what could not be delivered, deliver it again, or give it up");
  parent->require_subcommand(1);
  const Arguments listing = for_action("list", "dead");
  CLI::App& list = add(*parent, "list", "List dead letters", listing, streams, exit_code);
  add_filter(list, *listing);
  list.add_option("--state", listing->state, "dead, or held ones (default dead)")
      ->check(CLI::IsMember({"dead", "held"}));
  add_limit(list, *listing);
  add_change(*parent, "redrive", "Deliver dead letters again", streams, exit_code);
  add_change(*parent, "drop", "Give dead letters up", streams, exit_code);
}

}  // namespace onceproxy::cli
