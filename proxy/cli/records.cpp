#include "proxy/cli/records.hpp"

#include <algorithm>
#include <array>
#include <ostream>
#include <string>
#include <vector>

#include "config/text.hpp"
#include "proxy/cli/fingerprint_of.hpp"
#include "proxy/cli/read_file.hpp"
#include "proxy/cli/table.hpp"

namespace onceproxy::cli {
namespace {

using policies::JsonTree;

/// What the admin port takes.
constexpr std::size_t body_bytes_max = std::size_t{64} << 10;

std::string state_text(const JsonTree& tree, JsonTree::Index record, std::string_view field) {
  const bool held = field_text(tree, record, "held") == "true";
  return field_text(tree, record, field) + (held ? " (held)" : "");
}

std::string outcome_text(const JsonTree& tree, JsonTree::Index record, std::string_view status) {
  for (const std::string_view name :
       {status, std::string_view("error"), std::string_view("not_kept")}) {
    if (std::string text = field_text(tree, record, name); !text.empty()) return text;
  }
  return "";
}

constexpr std::array<Column, 10> columns{{
    {"FINGERPRINT", "fingerprint"},
    {"STATE", "state", state_text},
    {"POLICY", "policy"},
    {"ENTITY", "entity"},
    {"CREATED", "created", short_time_text},
    {"EXPIRES", "expires", short_time_text},
    {"ATTEMPTS", "attempts"},
    {"DUPLICATES", "duplicates"},
    {"OUTCOME", "status", outcome_text},
    {"PATH", "path"},
}};

/// The order that an operator reads a record in.
constexpr std::array<std::string_view, 17> field_order{
    "fingerprint", "policy",     "path",    "entity",     "state",         "held",
    "created",     "lease_ends", "expires", "attempts",   "fence",         "status",
    "not_kept",    "request_id", "error",   "duplicates", "last_duplicate"};

/// "released".
std::string_view done_word(std::string_view action) {
  if (action == "release") return "released";
  return action == "resolve" ? "resolved" : "forgotten";
}

/// Why the record's state forbids the action, as the admin port would say; empty: it does not.
std::string why_forbidden(std::string_view action, const JsonTree& record) {
  const std::string state = field_text(record, 0, "state");
  const bool held = field_text(record, 0, "held") == "true";
  if (action == "release" && state == "completed") {
    return "only a reserved or an unknown record can be released, and it is completed";
  }
  if (action == "resolve" && state != "unknown") {
    return "only an unknown record can be resolved, and it is " + state;
  }
  if (action == "forget" && held) return "a request holds the record; release it first";
  return "";
}

class Records {
 public:
  Records(const RecordsArguments& arguments, const AdminPort& port, const Streams& streams)
      : arguments_(arguments), port_(port), streams_(streams) {}

  tl::expected<void, Ending> run() {
    if (arguments_.action == "list") return list();
    if (auto named = name_record(); !named) return named;
    return arguments_.action == "show" ? show() : change();
  }

 private:
  /// By the fingerprint that was given, or the request.
  tl::expected<void, Ending> name_record() {
    fingerprint_ = arguments_.fingerprint;
    if (arguments_.request.empty()) {
      if (fingerprint_.empty()) {
        return tl::unexpected(Ending{exit_bad, "give the record's FINGERPRINT, or --request FILE"});
      }
      return {};
    }
    if (!fingerprint_.empty()) {
      return tl::unexpected(Ending{exit_bad, "give either a FINGERPRINT or --request FILE"});
    }
    const auto found = fingerprint_of(
        {arguments_.config, arguments_.request, arguments_.client_certificate}, streams_);
    if (!found) return tl::unexpected(Ending{found.error(), ""});
    fingerprint_ = found->hex();
    return {};
  }

  tl::expected<void, Ending> list() {
    const std::string asked =
        argument("policy", arguments_.policy) + argument("state", arguments_.state) +
        argument("entity", arguments_.entity) + argument("path", arguments_.path) +
        argument("older_than", arguments_.older_than);
    Table table(streams_.out, columns, "No records.");
    bool any = false;
    const auto more = port_.list("/records", asked, arguments_.limit,
                                 [&](const JsonTree& tree, JsonTree::Index record) {
                                   any = true;
                                   if (arguments_.json) {
                                     streams_.out << json_text(tree, record) << "\n";
                                   } else {
                                     table.add(tree, record);
                                   }
                                 });
    if (!more) return tl::unexpected(more.error());
    if (!any && !arguments_.policy.empty()) {
      if (auto known = check_policy(asked); !known) return known;
    }
    if (!arguments_.json) table.finish();
    if (*more) streams_.err << "There are more records; --limit 0 lists all.\n";
    return {};
  }

  /// A policy without records is one that the program has; otherwise its name is misspelt. Records
  /// may be left of a policy that was removed, and then its name is right. `asked`: the arguments
  /// that no record was found with.
  tl::expected<void, Ending> check_policy(const std::string& asked) {
    const auto body = port_.ask("GET", "/policies");
    if (!body) return tl::unexpected(body.error());
    const auto tree = JsonTree::parse(*body);
    const JsonTree::Index* items =
        tree && tree->kind(0) == JsonTree::Kind::object ? tree->member(0, "items") : nullptr;
    if (items == nullptr || tree->kind(*items) != JsonTree::Kind::array) return {};
    std::vector<std::string> names;
    for (const JsonTree::Index item : tree->children(*items)) {
      if (tree->kind(item) == JsonTree::Kind::object) {
        names.push_back(field_text(*tree, item, "name"));
      }
    }
    if (std::ranges::find(names, arguments_.policy) != names.end()) return {};
    const std::string all = argument("policy", arguments_.policy);
    if (asked != all) {
      bool any = false;
      const auto found =
          port_.list("/records", all, 1, [&](const JsonTree&, JsonTree::Index) { any = true; });
      if (!found) return tl::unexpected(found.error());
      if (any) return {};
    }
    const std::string meant = config::nearest(arguments_.policy, names);
    return tl::unexpected(
        Ending{exit_bad, "no policy is called " + config::quote(arguments_.policy) +
                             ", and it has no records" +
                             (meant.empty() ? "" : "; did you mean \"" + meant + "\"?")});
  }

  tl::expected<void, Ending> show() {
    const auto body = port_.ask("GET", target());
    if (!body) return tl::unexpected(body.error());
    print_record(*body);
    return {};
  }

  std::string target() const { return "/records/" + fingerprint_; }

  void print_record(const std::string& body) {
    const auto tree = JsonTree::parse(body);
    if (arguments_.json || !tree) {
      streams_.out << body;
    } else {
      print_fields(*tree, 0, field_order, streams_.out);
    }
  }

  /// The body of the answer that duplicates are to get; empty if none is given.
  tl::expected<std::string, Ending> answer_body() {
    const bool given = !arguments_.body.empty() || !arguments_.headers.empty();
    if (given && arguments_.status == 0) {
      return tl::unexpected(Ending{exit_bad, "an answer that is to be given needs --status"});
    }
    if (arguments_.body.empty()) return std::string();
    auto body = read_file(arguments_.body, streams_.in);
    if (!body) return tl::unexpected(Ending{exit_unreadable, body.error()});
    if (body->size() > body_bytes_max) {
      return tl::unexpected(Ending{exit_bad, "--body: the admin port takes 64 KiB at most, and " +
                                                 arguments_.body + " has " +
                                                 std::to_string(body->size()) + " bytes"});
    }
    return *std::move(body);
  }

  /// The arguments for the admin port that describe the given answer.
  std::string answer_query() const {
    if (arguments_.status == 0) return "";
    std::string query = "?status=" + std::to_string(arguments_.status);
    for (const std::string& header : arguments_.headers) query += argument("header", header);
    return query;
  }

  tl::expected<void, Ending> change() {
    auto body = answer_body();
    if (!body) return tl::unexpected(body.error());
    if (arguments_.dry_run) return rehearse();
    const bool forget = arguments_.action == "forget";
    const std::string changing =
        forget ? target() : target() + "/" + arguments_.action + answer_query();
    const auto done = port_.ask(forget ? "DELETE" : "POST", changing, *std::move(body));
    if (!done) return tl::unexpected(done.error());
    if (arguments_.json) {
      streams_.out << *done;
    } else {
      streams_.out << fingerprint_ << ": " << done_word(arguments_.action) << "\n";
    }
    return {};
  }

  /// Shows the record, and whether its state allows what was asked for.
  tl::expected<void, Ending> rehearse() {
    const auto body = port_.ask("GET", target());
    if (!body) return tl::unexpected(body.error());
    print_record(*body);
    const auto tree = JsonTree::parse(*body);
    const std::string forbidden =
        tree ? why_forbidden(arguments_.action, *tree) : "the answer is not a record";
    if (!forbidden.empty()) return tl::unexpected(Ending{exit_bad, forbidden});
    streams_.err << "Nothing was changed: without --dry-run the record would be "
                 << done_word(arguments_.action) << ".\n";
    return {};
  }

  const RecordsArguments& arguments_;
  const AdminPort& port_;
  const Streams& streams_;
  std::string fingerprint_;
};

}  // namespace

int records(const RecordsArguments& arguments, const Streams& streams) {
  const auto port = AdminPort::open(arguments);
  if (!port) return finish(tl::unexpected(port.error()), streams);
  return finish(Records(arguments, *port, streams).run(), streams);
}

}  // namespace onceproxy::cli
