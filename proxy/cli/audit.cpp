#include "proxy/cli/audit.hpp"

#include <CLI/CLI.hpp>
#include <array>
#include <memory>
#include <ostream>

#include "proxy/cli/table.hpp"

namespace onceproxy::cli {
namespace {

using policies::JsonTree;

/// What became of a forward, or would have been decided, or how an operator's request was answered.
std::string outcome_text(const JsonTree& tree, JsonTree::Index item, std::string_view outcome) {
  std::string text = field_text(tree, item, outcome);
  const std::string status = field_text(tree, item, "status");
  if (!status.empty()) text.append(text.empty() ? "" : " ").append(status);
  const std::string shadow = field_text(tree, item, "shadow");
  if (!shadow.empty()) text = "would be " + shadow;
  return text;
}

/// Why, or what an operator did.
std::string detail_text(const JsonTree& tree, JsonTree::Index item, std::string_view action) {
  std::string text = field_text(tree, item, action);
  for (const std::string_view name : {"target", "detail", "error"}) {
    const std::string more = field_text(tree, item, name);
    if (!more.empty()) text.append(text.empty() ? "" : " ").append(more);
  }
  return text;
}

constexpr std::array<Column, 8> columns{{
    {"TIME", "time", short_time_text},
    {"DECISION", "decision"},
    {"OUTCOME", "outcome", outcome_text},
    {"POLICY", "policy"},
    {"ENTITY", "entity"},
    {"PATH", "path"},
    {"REQUEST ID", "request_id"},
    {"DETAIL", "action", detail_text},
}};

}  // namespace

tl::expected<void, Ending> print_audit(const AdminPort& port, const AuditArguments& arguments,
                                       const Streams& streams) {
  const std::string asked =
      argument("since", arguments.since) + argument("until", arguments.until) +
      argument("policy", arguments.policy) + argument("decision", arguments.decision) +
      argument("outcome", arguments.outcome) + argument("fingerprint", arguments.fingerprint) +
      argument("entity", arguments.entity) + argument("path", arguments.path);
  Table table(streams.out, columns, "Nothing in the audit log.");
  const auto more =
      port.list("/audit", asked, arguments.limit, [&](const JsonTree& tree, JsonTree::Index item) {
        if (arguments.json) {
          streams.out << json_text(tree, item) << "\n";
        } else {
          table.add(tree, item);
        }
      });
  if (!more) return tl::unexpected(more.error());
  if (!arguments.json) table.finish();
  if (*more) streams.err << "There are more; --limit 0 lists all.\n";
  return {};
}

int audit(const AuditArguments& arguments, const Streams& streams) {
  const auto port = AdminPort::open(arguments);
  if (!port) return finish(tl::unexpected(port.error()), streams);
  return finish(print_audit(*port, arguments, streams), streams);
}

void add_audit(CLI::App& app, const Streams& streams, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "audit", "Show what a running onceproxy forwarded and refused, and what operators did");
  // CLI11 keeps references to what options write to; the callback keeps it alive.
  const auto arguments = std::make_shared<AuditArguments>();
  add_admin_options(*command, *arguments, exit_code,
                    [arguments, streams] { return audit(*arguments, streams); });
  command->add_option("--since", arguments->since,
                      "From this time on: an age (5m, 1h), seconds since 1970, or a time in UTC");
  command->add_option("--until", arguments->until, "Before this time");
  command->add_option("--policy", arguments->policy, "Only entries of this policy");
  command->add_option(
      "--decision", arguments->decision,
      "Only entries with this decision (forwarded, replayed …), operator or started");
  command->add_option("--outcome", arguments->outcome,
                      "Only forwards that are pending, completed, released, failed or unknown;\n"
                      "several are separated by commas");
  command->add_option("--fingerprint", arguments->fingerprint, "Only entries of this operation");
  command->add_option("--entity", arguments->entity, "Only entries of this entity: type/id");
  command->add_option(
      "--path", arguments->path,
      "Only entries of this path; with * at the end, of all paths that begin like it");
  command->add_option("--limit", arguments->limit,
                      "The largest number of items; 0: all (default 50)");
}

}  // namespace onceproxy::cli
