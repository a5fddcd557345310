#include "config/selector_checks.hpp"

#include <algorithm>

#include "config/scalars.hpp"
#include "policies/inner_values.hpp"

namespace onceproxy::config {
namespace {

using policies::Selector;
using policies::Source;

struct SourceName {
  const char* key;
  Source source;
  /// The modifiers that make sense.
  std::vector<std::string> modifiers;
};

const std::vector<SourceName>& source_names() {
  static const auto text_and = [](std::vector<std::string> others) {
    std::vector<std::string> modifiers{"decode", "json",    "capture",   "trim", "lower",
                                       "round",  "default", "otherwise", "sort"};
    modifiers.insert(modifiers.end(), others.begin(), others.end());
    return modifiers;
  };
  static const std::vector<SourceName> names{
      {"header", Source::header, text_and({})},
      {"query", Source::query, text_and({})},
      {"path", Source::path, text_and({})},
      {"cookie", Source::cookie, text_and({})},
      {"body", Source::body, text_and({"take"})},
      {"form", Source::form, text_and({})},
      {"method", Source::method, {}},
      {"target", Source::target, text_and({})},
      {"content", Source::content, text_and({"except"})},
      {"xml", Source::xml, text_and({})},
      {"const", Source::constant, {}},
      {"client_certificate", Source::client_certificate, text_and({})},
      {"client_key", Source::client_key, {"pattern"}},
      {"status", Source::status, {}},
  };
  return names;
}

/// Whether the field is one text at most, unless something is selected inside it.
bool is_one_text(Source source) {
  return source == Source::header || source == Source::path || source == Source::target ||
         source == Source::content;
}

/// Whether the field is there in every request.
bool is_always_there(Source source) {
  return source == Source::target || source == Source::content;
}

/// What a sequence says beside its selector.
bool is_of_sequence(const Node::Entry& entry) {
  return entry.key == "as" || entry.key == "equal";
}

std::string_view pattern_of(const policies::Regex& regex) {
  return regex ? std::string_view(regex->pattern()) : std::string_view();
}

/// Modifiers that do nothing for this source unless another one stands beside them.
void check_modifiers(const Node& node, const Selector& selector, const std::string& source) {
  const bool inside = policies::looks_inside(selector);
  const auto idle = [&](const char* key, const char* why) {
    for (const Node::Entry& entry : node.entries()) {
      if (entry.key != key) continue;
      entry.key_problem("`" + entry.key + "` makes no sense with `" + source + "` " + why);
    }
  };
  if (is_always_there(selector.source) && !inside) {
    idle("default", "alone, which is always there");
    idle("otherwise", "alone, which is always there");
  }
  if (is_one_text(selector.source) && !selector.json) {
    idle("sort", "unless `json` selects an array in it");
  }
  if (selector.source == Source::content && !inside) {
    for (const char* key : {"trim", "lower", "round"}) {
      idle(key, "unless `decode`, `json` or `capture` selects a text in it");
    }
  }
  if (inside) idle("except", "beside `decode`, `json` or `capture`");
  if (!selector.take.empty() && !policies::has_wildcard(selector.pointer)) {
    idle("sort", "and `take` without a `*` in the pointer, since one value is selected");
  }
}

/// What holds between a selector and those read otherwise.
void check_chain(const Node& node, const Selector& selector) {
  const auto next = node.get("otherwise");
  const auto standing_in = node.get("default");
  if (next && standing_in) {
    standing_in->problem(
        "a field with a default is never missing, so `otherwise` would never be read; write "
        "`default` into the last `otherwise`");
  }
  for (const Selector* at = selector.otherwise.get(); at != nullptr; at = at->otherwise.get()) {
    if (reads_the_same(selector, *at)) {
      next->problem("the chain comes back to `" + selector.text + "`, which is missing by then");
      return;
    }
  }
}

}  // namespace

bool fits(Source source, Of of) {
  switch (source) {
    case Source::header:
    case Source::body:
    case Source::content:
      return true;
    case Source::status:
      return of == Of::answer;
    case Source::client_key:
      return of == Of::request_with_key;
    default:
      return of != Of::answer;
  }
}

std::vector<std::string> sources(Of of) {
  std::vector<std::string> words;
  for (const SourceName& each : source_names()) {
    if (fits(each.source, of)) words.emplace_back(each.key);
  }
  return words;
}

bool is_test(const Node::Entry& entry) {
  return entry.key == "equals" || entry.key == "in" || entry.key == "regex" ||
         entry.key == "present";
}

bool reads_the_same(const Selector& a, const Selector& b) {
  return a.source == b.source && a.name == b.name && a.except == b.except && a.take == b.take &&
         a.decode == b.decode && a.json == b.json && pattern_of(a.capture) == pattern_of(b.capture);
}

void check_selector(const Node& node, const SelectorDraft& draft, Of of) {
  static const std::vector<std::string> modifiers{"lower",   "trim",      "round",   "sort",
                                                  "default", "otherwise", "pattern", "except",
                                                  "take",    "decode",    "json",    "capture"};
  const auto is_modifier = [](const Node::Entry& entry) {
    return std::find(modifiers.begin(), modifiers.end(), entry.key) != modifiers.end();
  };
  if (draft.sources == 0) {
    // A key that is unknown was meant for the source, and has been reported.
    const std::vector<Node::Entry> entries = node.entries();
    const bool all_known =
        std::all_of(entries.begin(), entries.end(), [&](const Node::Entry& entry) {
          return is_modifier(entry) || is_test(entry) || is_of_sequence(entry);
        });
    if (all_known) {
      node.problem("a selector names one of " + one_of(sources(of)));
    }
    return;
  }
  const SourceName* source = nullptr;
  for (const Node::Entry& entry : node.entries()) {
    for (const SourceName& each : source_names()) {
      if (entry.key != each.key) continue;
      if (source == nullptr) {
        source = &each;
      } else {
        entry.key_problem("a selector names one field, and `" + std::string(source->key) +
                          "` names one already; write two selectors");
      }
    }
  }
  if (source == nullptr) return;
  for (const Node::Entry& entry : node.entries()) {
    const auto& fitting = source->modifiers;
    if (is_modifier(entry) &&
        std::find(fitting.begin(), fitting.end(), entry.key) == fitting.end()) {
      entry.key_problem("`" + entry.key + "` makes no sense with `" + source->key + "`");
    }
  }
  check_modifiers(node, draft.selector, source->key);
  check_chain(node, draft.selector);
}

Json exactly_one_source(Json schema, Of of) {
  JsonArray choices;
  for (const std::string& source : sources(of)) {
    choices.push_back(JsonObject({{"required", JsonArray({source})}}));
  }
  set_member(schema, "oneOf", std::move(choices));
  return schema;
}

}  // namespace onceproxy::config
