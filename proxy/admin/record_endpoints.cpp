#include "proxy/admin/record_endpoints.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "policies/entity.hpp"
#include "policies/percent.hpp"
#include "proxy/admin/audit_arguments.hpp"
#include "proxy/admin/changed_word.hpp"
#include "proxy/admin/members.hpp"
#include "proxy/admin/resolved_answer.hpp"
#include "proxy/admin/routes.hpp"
#include "proxy/telemetry/json.hpp"

namespace onceproxy::admin {
namespace {

using store::Changed;
using store::EntityKey;
using store::EntityView;
using store::Fingerprint;
using store::Inspection;
using store::RecordFilter;
using store::RecordPage;
using store::RecordView;
using store::StoredAnswer;
using telemetry::Json;
using telemetry::JsonArray;
using telemetry::JsonObject;

constexpr std::size_t limit_default = 100;
constexpr std::size_t limit_max = 1'000;

struct Endpoints {
  Inspection& inspection;
  RecordHooks hooks;
};

constexpr std::array<std::pair<RecordView::State, std::string_view>, 3> states{
    {{RecordView::State::reserved, "reserved"},
     {RecordView::State::completed, "completed"},
     {RecordView::State::unknown, "unknown"}}};

std::string_view name_of(RecordView::State state) {
  return std::ranges::find(states, state, &std::pair<RecordView::State, std::string_view>::first)
      ->second;
}

/// Why there is no answer to give again.
std::string_view name_of(store::NotKept why) {
  constexpr std::string_view names[] = {"too-large", "stream", "crowded", "unwanted", "resolved"};
  return names[static_cast<std::size_t>(why)];
}

std::string entity_text(const RecordView& record) {
  return record.entity_type.empty() ? "" : record.entity_type + "/" + record.entity_id;
}

Json json_of(const RecordView& record) {
  JsonObject object;
  add_text(object, "fingerprint", record.fingerprint.hex());
  add_text(object, "policy", record.policy);
  add_text(object, "path", record.path);
  add_text(object, "entity", entity_text(record));
  add_text(object, "state", name_of(record.state));
  object["held"] = record.held;
  add_time(object, "created", record.created);
  if (record.state != RecordView::State::completed)
    add_time(object, "lease_ends", record.lease_ends);
  add_time(object, "expires", record.expires);
  object["attempts"] = record.attempts;
  object["fence"] = record.fence;
  if (record.status) object["status"] = *record.status;
  if (record.not_kept) add_text(object, "not_kept", name_of(*record.not_kept));
  add_text(object, "request_id", record.request_id);
  add_text(object, "error", record.error);
  object["duplicates"] = record.duplicates;
  if (record.last_duplicate) add_time(object, "last_duplicate", *record.last_duplicate);
  return object;
}

Json json_of(const EntityView& entity) {
  JsonObject object;
  add_text(object, "type", entity.type);
  add_text(object, "id", entity.id);
  object["closed"] = entity.closed_until.has_value();
  if (entity.closed_until) add_time(object, "closed_until", *entity.closed_until);
  if (const auto& sequence = entity.sequence) {
    const bool integer = sequence->kind == store::Sequence::Kind::integer;
    if (integer) object["sequence"] = sequence->high;
    if (!integer) add_text(object, "sequence", store::text(*sequence));
  }
  if (entity.holder) add_text(object, "holder", entity.holder->hex());
  object["waiting"] = entity.waiting;
  add_time(object, "expires", entity.expires);
  return object;
}

Response unreadable(const store::Unreadable& why) {
  return refusal(503, "the store cannot be read: " + why.why);
}

struct Asked {
  RecordFilter filter;
  std::optional<Fingerprint> after;
  std::size_t limit = limit_default;
};

/// Reads one argument of a list into `asked`. The error says what is wrong with it.
std::optional<std::string> read_argument(const std::string& name, const std::string& value,
                                         Asked& asked) {
  if (name == "policy") {
    asked.filter.policy = value;
  } else if (name == "state") {
    for (const auto& [state, word] : states) {
      if (word == value) asked.filter.state = state;
    }
    if (!asked.filter.state) return "state: expected reserved, completed or unknown";
  } else if (name == "older_than") {
    asked.filter.older_than = parse_age(value);
    if (!asked.filter.older_than) return "older_than: expected an age such as 90s, 5m or 1h";
  } else if (name == "entity" || name == "path") {
    return read_subject(name, value, asked.filter.subject);
  } else if (name == "limit") {
    const char* const end = value.data() + value.size();
    const auto [stop, error] = std::from_chars(value.data(), end, asked.limit);
    if (error != std::errc() || stop != end || asked.limit < 1 || asked.limit > limit_max) {
      return "limit: expected a whole number from 1 to " + std::to_string(limit_max);
    }
  } else if (name == "cursor") {
    asked.after = Fingerprint::from_hex(value);
    if (!asked.after) return "cursor: expected the `next` of the page before";
  } else {
    return name + ": unknown; policy, state, entity, path, older_than, limit and cursor are known";
  }
  return std::nullopt;
}

Response list(const Endpoints& endpoints, const Request& request) {
  Asked asked;
  for (const auto& [name, value] : request.query) {
    if (request.query.count(name) > 1) return refusal(400, name + ": given twice");
    if (const auto error = read_argument(name, value, asked)) return refusal(400, *error);
  }
  const auto page = endpoints.inspection.records(asked.filter, asked.after, asked.limit);
  if (const auto* why = std::get_if<store::Unreadable>(&page)) return unreadable(*why);
  const auto& [items, next] = std::get<RecordPage>(page);
  JsonArray list;
  for (const RecordView& record : items) list.push_back(json_of(record));
  JsonObject body({{"items", std::move(list)}});
  if (next) body["next"] = next->hex();
  return json(200, body);
}

std::optional<Fingerprint> named(const Request& request) {
  return Fingerprint::from_hex(request.captures.find("fingerprint")->second);
}

Response no_fingerprint() {
  return refusal(400, "a fingerprint is 64 hexadecimal digits");
}

Response show(const Endpoints& endpoints, const Request& request) {
  const auto fingerprint = named(request);
  if (!fingerprint) return no_fingerprint();
  const auto found = endpoints.inspection.record(*fingerprint);
  if (const auto* why = std::get_if<store::Unreadable>(&found)) return unreadable(*why);
  const auto& record = std::get<std::optional<RecordView>>(found);
  if (!record) return refusal(404, "no record of that fingerprint");
  return json(200, json_of(*record));
}

/// What an operator can do, and why it is refused if the state forbids it.
struct Action {
  std::string_view name;
  Changed (*change)(Inspection&, const Fingerprint&, const std::optional<StoredAnswer>&);
  std::string_view conflict;
};

constexpr Action release_action{
    "release",
    [](Inspection& store, const Fingerprint& of, const auto&) { return store.release(of); },
    "only a reserved or unknown record can be released; if the record is changing its "
    "state, try again in a moment"};
constexpr Action resolve_action{"resolve",
                                [](Inspection& store, const Fingerprint& of, const auto& answer) {
                                  return store.resolve(of, answer);
                                },
                                "only an unknown record can be resolved"};
constexpr Action forget_action{
    "forget",
    [](Inspection& store, const Fingerprint& of, const auto&) { return store.forget(of); },
    "a request holds the record; release it first"};

Response changed(Changed result, std::string_view absent, std::string_view conflict) {
  switch (result) {
    case Changed::done:
      return json(200, JsonObject({{"status", "done"}}));
    case Changed::absent:
      return refusal(404, absent);
    case Changed::conflict:
      return refusal(409, conflict);
    case Changed::failed:
      break;
  }
  return refusal(503, "the store cannot confirm the change; check whether it happened");
}

/// What the record is about, before it may be gone. Nothing if it cannot be read.
Touched touched_by(Inspection& inspection, const Fingerprint& fingerprint) {
  Touched touched;
  const auto found = inspection.record(fingerprint);
  const auto* const record = std::get_if<std::optional<RecordView>>(&found);
  if (record == nullptr || !*record) return touched;
  touched.policy = (*record)->policy;
  touched.path = (*record)->path;
  touched.entity_type = (*record)->entity_type;
  touched.entity_id = (*record)->entity_id;
  return touched;
}

Response act(const Endpoints& endpoints, const Action& action, const Request& request) {
  const auto fingerprint = named(request);
  if (!fingerprint) return no_fingerprint();
  std::optional<StoredAnswer> answer;
  std::optional<std::string> detail;
  if (!request.body.empty()) detail = std::to_string(request.body.size()) + " bytes";
  if (action.name == resolve_action.name) {
    auto given = read_resolved_answer(request, endpoints.hooks.wrong_field);
    if (!given) {
      Response refused = refusal(400, given.error());
      refused.touched.detail = std::move(detail);
      return refused;
    }
    answer = *std::move(given);
  }
  Touched touched = touched_by(endpoints.inspection, *fingerprint);
  touched.detail = std::move(detail);
  const Changed result = action.change(endpoints.inspection, *fingerprint, answer);
  endpoints.hooks.acted(action.name, fingerprint->hex(), changed_word(result));
  Response response = changed(result, "no record of that fingerprint", action.conflict);
  response.touched = std::move(touched);
  return response;
}

/// The entity that a path below /entities/ names: its type and the parts of its id.
struct NamedEntity {
  EntityKey key;
  std::string type;
  std::string id;
};

std::optional<NamedEntity> entity_of(std::string_view path) {
  std::vector<std::string> parts;
  std::size_t begin = std::string_view("/entities/").size();
  while (begin <= path.size()) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    auto part = policies::decode_percent_strictly(path.substr(begin, end - begin));
    if (!part) return std::nullopt;
    parts.push_back(*std::move(part));
    begin = end + 1;
  }
  if (parts.size() < 2 || parts.front().empty()) return std::nullopt;
  const std::string type = parts.front();
  parts.erase(parts.begin());
  return NamedEntity{policies::entity_key(type, parts), type, policies::entity_id_text(parts)};
}

Response no_entity() {
  return refusal(400, "an entity is given by its type and the parts of its id: /entities/ride/42");
}

Response show_entity(const Endpoints& endpoints, const Request& request) {
  const auto named = entity_of(request.path);
  if (!named) return no_entity();
  const auto found = endpoints.inspection.entity(named->key);
  if (const auto* why = std::get_if<store::Unreadable>(&found)) return unreadable(*why);
  const auto& entity = std::get<std::optional<EntityView>>(found);
  if (!entity) return refusal(404, "nothing is known of that entity");
  return json(200, json_of(*entity));
}

Response open_entity(const Endpoints& endpoints, const Request& request) {
  constexpr std::string_view verb = "/open";
  const std::string_view path = request.path;
  if (!path.ends_with(verb)) {
    return refusal(404, "no such path; POST /entities/{type}/{id}/open opens an entity");
  }
  const auto named = entity_of(path.substr(0, path.size() - verb.size()));
  if (!named) return no_entity();
  const Changed result = endpoints.inspection.open(named->key);
  endpoints.hooks.acted("open", named->type + "/" + named->id, changed_word(result));
  Response response =
      changed(result, "nothing is known of that entity", "the entity is not closed");
  response.touched.entity_type = named->type;
  response.touched.entity_id = named->id;
  return response;
}

}  // namespace

void add_record_endpoints(Server& server, store::Inspection& inspection, RecordHooks hooks) {
  const auto endpoints = std::make_shared<const Endpoints>(Endpoints{inspection, std::move(hooks)});
  server.add("GET", "/records",
             "?policy=&state=&entity=&path=&older_than=&limit=&cursor=: records, page by page",
             [endpoints](const Request& request) { return list(*endpoints, request); });
  server.add("GET", "/records/{fingerprint}", "one record",
             [endpoints](const Request& request) { return show(*endpoints, request); });
  server.add(
      "DELETE", "/records/{fingerprint}", "forget a record that no request holds",
      [endpoints](const Request& request) { return act(*endpoints, forget_action, request); });
  server.add(
      "POST", "/records/{fingerprint}/release", "free a reserved or unknown record",
      [endpoints](const Request& request) { return act(*endpoints, release_action, request); });
  server.add(
      "POST", "/records/{fingerprint}/resolve",
      "mark an unknown record completed; ?status=&header=name:+value and a body: what duplicates "
      "get",
      [endpoints](const Request& request) { return act(*endpoints, resolve_action, request); });
  server.add("GET", "/entities/*", "what is known of an entity; * is {type}/{id}",
             [endpoints](const Request& request) { return show_entity(*endpoints, request); });
  const Handler open = [endpoints](const Request& request) {
    return open_entity(*endpoints, request);
  };
  server.add("POST", "/entities/*", "reopen a closed entity; * is {type}/{id}/open", open);
  // By itself, so that a GET of it is 405 and not an entity whose id ends in "open".
  server.add("POST", "/entities/{type}/{id}/open", "reopen a closed entity", open);
}

}  // namespace onceproxy::admin
