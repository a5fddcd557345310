#include "proxy/gate/replay.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "policies/accept_encoding.hpp"
#include "policies/content_coding.hpp"
#include "policies/json.hpp"
#include "policies/json_place.hpp"
#include "policies/json_string.hpp"
#include "proxy/gate/head_lines.hpp"

namespace onceproxy::gate {

namespace {

using policies::equals_ignoring_case;
using policies::Field;
using policies::RequestView;
using policies::ValueType;

bool is_one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::ranges::any_of(
      names, [&](std::string_view each) { return equals_ignoring_case(name, each); });
}

/// What is true of the stored bytes, and not of others that mean the same.
bool is_of_the_bytes(std::string_view name) {
  return is_one_of(name,
                   {"content-md5", "content-digest", "digest", "repr-digest", "accept-ranges"});
}

std::vector<Field> fields_of(std::string_view head) {
  std::vector<Field> fields;
  for_each_line(head, [&](const Field& field, std::string_view) { fields.push_back(field); });
  return fields;
}

/// Another answer's CORS fields would only tell a browser that this page may not read it.
void drop_what_is_anothers(std::string& head, const RequestView& request) {
  const Field* const origin = request.header("origin");
  bool for_another = false;
  for_each_line(head, [&](const Field& field, std::string_view) {
    if (!equals_ignoring_case(field.name, "access-control-allow-origin")) return;
    for_another |= field.value != "*" && (origin == nullptr || field.value != origin->value);
  });
  drop_lines(head, [&](const Field& field) {
    constexpr std::string_view cors = "access-control-";
    return equals_ignoring_case(field.name, "x-request-id") ||
           (for_another && equals_ignoring_case(field.name.substr(0, cors.size()), cors));
  });
}

/// The body is another sequence of bytes now. A strong validator (RFC 9110 8.8.1) would not hold.
void forget_bytes(std::string& head) {
  std::string kept;
  for_each_line(head, [&](const Field& field, std::string_view line) {
    if (is_of_the_bytes(field.name)) return;
    if (equals_ignoring_case(field.name, "etag") && !field.value.starts_with("W/")) {
      kept.append(field.name).append(": W/").append(field.value).append("\r\n");
    } else {
      kept += line;
    }
  });
  head = std::move(kept);
}

/// RFC 9110 7.7: such an answer's content is not changed on its way. A part of one cannot be
/// decoded.
bool may_be_decoded(int status, const std::vector<Field>& fields) {
  if (status == 206) return false;
  return std::ranges::none_of(fields, [](const Field& field) {
    return equals_ignoring_case(field.name, "cache-control") &&
           field.value.find("no-transform") != std::string_view::npos;
  });
}

/// `wanted`: also if the request names the coding.
void decode(Answer& answer, const RequestView& request, bool wanted) {
  if (answer.body.empty()) return;
  const std::vector<Field> fields = fields_of(answer.head);
  const std::vector<std::string_view> applied = policies::codings(fields);
  const auto named = [&](std::string_view coding) {
    return policies::names_coding(request, coding);
  };
  if (applied.empty() || (!wanted && std::ranges::all_of(applied, named))) return;
  if (!may_be_decoded(answer.status, fields)) return;
  auto decoded = policies::decode_content(fields, answer.body, replay_decoded_bytes_max);
  if (!decoded) return;
  answer.body = *std::move(decoded);
  drop_lines(answer.head, [](const Field& field) {
    return equals_ignoring_case(field.name, "content-encoding");
  });
  forget_bytes(answer.head);
  if (!varies_by(answer.head, "Accept-Encoding")) answer.head += "Vary: Accept-Encoding\r\n";
}

/// The field as JSON; nothing if the request has none, or none that JSON could hold.
std::optional<std::string> own_value(const policies::Selector& from,
                                     const policies::Subject& asking) {
  std::string text;
  const auto type = policies::append_field(from, asking, text);
  if (!type) return std::nullopt;
  std::string json;
  if (*type == ValueType::json) {
    json = std::move(text);
  } else {
    policies::append_unescaped_json_string(text, json);
  }
  // A header may hold bytes that are no UTF-8.
  if (policies::JsonTree::parse(json) == nullptr) return std::nullopt;
  return json;
}

void put_own_values(Answer& answer, const policies::ReplayRules& rules,
                    const policies::Subject& asking) {
  bool changed = false;
  for (const policies::ReplaySet& one : rules.set) {
    const auto value = own_value(one.from, asking);
    if (!value) continue;
    if (!changed) decode(answer, asking.request, true);
    const auto place = policies::find_place(answer.body, one.at);
    if (!place) continue;
    answer.body.replace(place->begin, place->end - place->begin, *value);
    changed = true;
  }
  if (changed) forget_bytes(answer.head);
}

}  // namespace

Answer replay(store::StoredAnswer stored, const policies::ReplayRules& rules,
              const policies::Subject& asking) {
  const bool dated = has_line(stored.head, "date");
  Answer answer{stored.status, std::move(stored.head), std::move(stored.body), dated};
  drop_what_is_anothers(answer.head, asking.request);
  decode(answer, asking.request, false);
  put_own_values(answer, rules, asking);
  answer.head += "Idempotent-Replayed: true\r\n";
  return answer;
}

}  // namespace onceproxy::gate
