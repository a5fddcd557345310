#include "config/answer_reader.hpp"
#include "config/header_names.hpp"
#include "config/scalars.hpp"
#include "config/selector_reader.hpp"
#include "config/selector_rows.hpp"
#include "policies/pointer.hpp"

namespace onceproxy::config {
namespace {

using policies::ReplayRules;
using policies::ReplaySet;
using policies::Selector;

std::optional<std::string> wrong_place(std::string_view pointer) {
  if (auto wrong = wrong_pointer(pointer)) return wrong;
  if (pointer.empty()) return "is the whole answer; name a value inside it, as /id";
  if (policies::has_wildcard(*policies::parse_pointer(pointer))) {
    return "names several values; name one";
  }
  return std::nullopt;
}

struct SetDraft {
  std::string at;
  std::optional<Selector> from;
};

Kind<ReplaySet> replay_set() {
  const Kind<SetDraft> draft = section<SetDraft>(
      {"an item of replay.set",
       {key<SetDraft>("at", &SetDraft::at, text("a JSON Pointer", wrong_place),
                      "The value of the JSON answer to replace, as a JSON Pointer (RFC 6901). An "
                      "answer without this value, or that is not JSON, is replayed unchanged.",
                      Need::required),
        key<SetDraft>("from", &SetDraft::from, selector(Sources::no_client_key),
                      "The field of the request from which the value is taken. If it is missing, "
                      "the answer keeps its own value.",
                      Need::required)}});
  Kind<ReplaySet> kind;
  kind.names = draft.names;
  kind.schema = draft.schema;
  kind.read = [draft](const Node& node) -> std::optional<ReplaySet> {
    auto value = draft.read(node);
    // What could not be read has been reported.
    if (!value || value->at.empty() || !value->from) return std::nullopt;
    ReplaySet out;
    out.at = *policies::parse_pointer(value->at);
    out.at_text = std::move(value->at);
    out.from = *std::move(value->from);
    return out;
  };
  return kind;
}

Kind<std::vector<ReplaySet>> replay_sets() {
  Kind<std::vector<ReplaySet>> kind = list("values", replay_set(), Empty::refused);
  kind.print = [](const std::vector<ReplaySet>&) { return Json(); };
  return kind;
}

}  // namespace

Kind<ReplayRules> replay() {
  auto name = text("a header name", wrong_stored_field);
  name.read = [any = name.read](const Node& node) {
    auto value = any(node);
    if (value) {
      for (char& c : *value) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
      }
    }
    return value;
  };
  return section<ReplayRules>(
      {"replay",
       {key<ReplayRules>("max_body", &ReplayRules::body_bytes_max, size(0, std::uint64_t{64} << 20),
                         "Maximum size of a response body that is stored. The operation of a "
                         "larger one is remembered as not replayable."),
        key<ReplayRules>("drop_headers", &ReplayRules::drop_headers, list("header names", name),
                         "Response header fields that are not replayed. A 401 or 407 always keeps "
                         "its challenge."),
        key<ReplayRules>("set", &ReplayRules::set, replay_sets(),
                         "Values of a JSON answer that are replaced in each replay by a field of "
                         "the request, such as the id of JSON-RPC.")}});
}

}  // namespace onceproxy::config
