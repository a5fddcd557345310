#include "proxy/cli/deliveries.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <ostream>
#include <thread>

#include "policies/percent.hpp"
#include "proxy/cli/table.hpp"

namespace onceproxy::cli {
namespace {

using policies::JsonTree;

/// What the admin port changes in one request.
constexpr std::size_t batch_max = 100;

std::string state_text(const JsonTree& tree, JsonTree::Index item, std::string_view state) {
  const bool held = field_text(tree, item, "held") == "true";
  return held ? "HELD" : field_text(tree, item, state);
}

std::string why_text(const JsonTree& tree, JsonTree::Index item, std::string_view status) {
  std::string text = field_text(tree, item, status);
  const std::string error = field_text(tree, item, "error");
  if (!error.empty()) text.append(text.empty() ? "" : " ").append(error);
  return text;
}

constexpr std::array<Column, 7> columns{{
    {"DELIVERY", "delivery"},
    {"STATE", "state", state_text},
    {"ATTEMPTS", "attempts"},
    {"CREATED", "created", short_time_text},
    {"POLICY", "policy"},
    {"EVENT", "event"},
    {"WHY", "status", why_text},
}};

/// "Billing DEAD after 8: 503".
std::string told(const JsonTree& tree, JsonTree::Index delivery) {
  std::string text =
      field_text(tree, delivery, "listener") + " " + state_text(tree, delivery, "state");
  if (field_text(tree, delivery, "state") == "NOTIFIED") return text;
  const std::string attempts = field_text(tree, delivery, "attempts");
  if (attempts != "0") text.append(" after ").append(attempts);
  const std::string why = why_text(tree, delivery, "status");
  if (!why.empty()) text.append(": ").append(why);
  return text;
}

/// One line about the event, and one with the state of each listener.
void print_event(const JsonTree& tree, JsonTree::Index event, bool undelivered, std::ostream& out) {
  out << field_text(tree, event, "method") << " " << field_text(tree, event, "target");
  const std::string entity = field_text(tree, event, "entity");
  if (!entity.empty()) out << " on " << entity;
  out << ", accepted " << short_time(field_text(tree, event, "created")) << " by policy "
      << field_text(tree, event, "policy") << ", number " << field_text(tree, event, "number")
      << "\n";
  std::string line;
  const JsonTree::Index* const list = tree.member(event, "deliveries");
  if (list != nullptr && tree.kind(*list) == JsonTree::Kind::array) {
    for (const JsonTree::Index delivery : tree.children(*list)) {
      if (undelivered && field_text(tree, delivery, "state") == "NOTIFIED") continue;
      line.append(line.empty() ? "" : " · ").append(told(tree, delivery));
    }
  }
  out << (line.empty() ? "every listener was notified" : line) << "\n";
}

class Deliveries {
 public:
  Deliveries(const DeliveriesArguments& arguments, const AdminPort& port, const Streams& streams)
      : arguments_(arguments), port_(port), streams_(streams) {}

  tl::expected<void, Ending> run() {
    if (arguments_.action == "list") return list();
    if (arguments_.action == "show") return show();
    return arguments_.named.empty() ? change_many() : change_named();
  }

 private:
  std::string filter() const {
    const std::string state = arguments_.undelivered ? "undelivered" : arguments_.state;
    return argument("event", arguments_.event) + argument("listener", arguments_.listener) +
           argument("policy", arguments_.policy) + argument("state", state) +
           argument("since", arguments_.since) + argument("until", arguments_.until);
  }

  tl::expected<void, Ending> list() {
    Table table(streams_.out, columns, "No deliveries.");
    const auto more = port_.list("/deliveries", filter(), arguments_.limit,
                                 [&](const JsonTree& tree, JsonTree::Index item) {
                                   if (arguments_.json) {
                                     streams_.out << json_text(tree, item) << "\n";
                                   } else {
                                     table.add(tree, item);
                                   }
                                 });
    if (!more) return tl::unexpected(more.error());
    if (!arguments_.json) table.finish();
    if (*more) streams_.err << "There are more deliveries; --limit 0 lists all.\n";
    return {};
  }

  tl::expected<void, Ending> show() {
    const auto body =
        port_.ask("GET", "/deliveries/" + policies::encode_percent(arguments_.named.front()));
    if (!body) return tl::unexpected(body.error());
    const auto tree = JsonTree::parse(*body);
    const JsonTree::Index* const items =
        tree && tree->kind(0) == JsonTree::Kind::object ? tree->member(0, "items") : nullptr;
    if (arguments_.json || items == nullptr) {
      streams_.out << *body;
      return {};
    }
    for (const JsonTree::Index event : tree->children(*items)) {
      print_event(*tree, event, arguments_.undelivered, streams_.out);
    }
    return {};
  }

  tl::expected<void, Ending> change_named() {
    for (const std::string& name : arguments_.named) {
      const std::size_t slash = name.find('/');
      if (slash == std::string::npos) {
        return tl::unexpected(Ending{exit_bad,
                                     "a delivery is given as NUMBER/LISTENER, as the lists "
                                     "name it"});
      }
      const std::string target = "/deliveries/" + policies::encode_percent(name.substr(0, slash)) +
                                 "/" + policies::encode_percent(name.substr(slash + 1)) + "/" +
                                 arguments_.action;
      const auto done = port_.ask("POST", target);
      if (!done) return tl::unexpected(done.error());
      streams_.out << name << ": " << done_word() << "\n";
    }
    return {};
  }

  std::string_view done_word() const {
    return arguments_.action == "redrive" ? "will be delivered again" : "dropped";
  }

  /// Page after page, no faster than asked for, so that a listener that is back is not flooded.
  tl::expected<void, Ending> change_many() {
    const bool filtered = !arguments_.event.empty() || !arguments_.listener.empty() ||
                          !arguments_.policy.empty() || !arguments_.since.empty() ||
                          !arguments_.until.empty();
    if (!filtered && !arguments_.all) {
      return tl::unexpected(
          Ending{exit_bad, "give deliveries, a filter, or --all for every dead letter"});
    }
    const std::size_t rate = std::max<std::size_t>(arguments_.rate, 1);
    const std::size_t batch = std::min(batch_max, rate);
    std::uint64_t done = 0, refused = 0;
    std::string cursor;
    while (true) {
      const auto began = std::chrono::steady_clock::now();
      std::string target = "/deliveries/" + arguments_.action + "?limit=" + std::to_string(batch);
      target += filter() + argument("cursor", cursor);
      const auto body = port_.ask("POST", target);
      if (!body) return tl::unexpected(body.error());
      const auto tree = JsonTree::parse(*body);
      if (!tree) return tl::unexpected(Ending{exit_unreadable, "the answer is not JSON"});
      const std::string count = field_text(*tree, 0, "done");
      const std::uint64_t changed = std::strtoull(count.c_str(), nullptr, 10);
      done += changed;
      refused += print_refused(*tree);
      cursor = field_text(*tree, 0, "next");
      if (cursor.empty()) break;
      const std::chrono::duration<double> due(static_cast<double>(changed) /
                                              static_cast<double>(rate));
      std::this_thread::sleep_until(
          began + std::chrono::duration_cast<std::chrono::steady_clock::duration>(due));
    }
    streams_.out << done << " " << done_word() << ", " << refused << " refused\n";
    return {};
  }

  std::uint64_t print_refused(const JsonTree& tree) {
    const JsonTree::Index* const list = tree.member(0, "refused");
    if (list == nullptr || tree.kind(*list) != JsonTree::Kind::array) return 0;
    std::uint64_t count = 0;
    for (const JsonTree::Index item : tree.children(*list)) {
      streams_.err << field_text(tree, item, "delivery") << ": " << field_text(tree, item, "why")
                   << "\n";
      ++count;
    }
    return count;
  }

  const DeliveriesArguments& arguments_;
  const AdminPort& port_;
  const Streams& streams_;
};

}  // namespace

int deliveries(const DeliveriesArguments& arguments, const Streams& streams) {
  const auto port = AdminPort::open(arguments);
  if (!port) return finish(tl::unexpected(port.error()), streams);
  return finish(Deliveries(arguments, *port, streams).run(), streams);
}

}  // namespace onceproxy::cli
