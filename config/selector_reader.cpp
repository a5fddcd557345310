#include "config/selector_reader.hpp"

#include <algorithm>

#include "config/scalars.hpp"
#include "config/selector_rows.hpp"

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
  static const std::vector<SourceName> names{
      {"header", Source::header, {"lower", "trim", "round", "default", "otherwise"}},
      {"query", Source::query, {"lower", "trim", "round", "sort", "default", "otherwise"}},
      {"path", Source::path, {"lower", "trim", "round", "default", "otherwise"}},
      {"cookie", Source::cookie, {"lower", "trim", "round", "sort", "default", "otherwise"}},
      {"body", Source::body, {"lower", "trim", "round", "sort", "default", "otherwise"}},
      {"form", Source::form, {"lower", "trim", "round", "sort", "default", "otherwise"}},
      {"method", Source::method, {}},
      {"target", Source::target, {}},
      {"content", Source::content, {}},
      {"const", Source::constant, {}},
      {"client_certificate",
       Source::client_certificate,
       {"lower", "trim", "sort", "default", "otherwise"}},
      {"client_key", Source::client_key, {"pattern"}},
  };
  return names;
}

std::string list_of_sources(bool with_client_key) {
  std::vector<std::string> words;
  for (const SourceName& each : source_names()) {
    if (each.source != Source::client_key || with_client_key) words.emplace_back(each.key);
  }
  return one_of(words);
}

struct ConditionDraft : SelectorDraft {
  std::string equals;
  std::vector<std::string> in;
  policies::Regex regex;
};

/// What a condition tests its field with.
bool is_test(const Node::Entry& entry) {
  return entry.key == "equals" || entry.key == "in" || entry.key == "regex";
}

bool reads_the_same(const Selector& a, const Selector& b) {
  return a.source == b.source && a.name == b.name;
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

void check_selector(const Node& node, const SelectorDraft& draft, bool with_client_key) {
  static const std::vector<std::string> modifiers{"lower",   "trim",      "round",  "sort",
                                                  "default", "otherwise", "pattern"};
  const auto is_modifier = [](const Node::Entry& entry) {
    return std::find(modifiers.begin(), modifiers.end(), entry.key) != modifiers.end();
  };
  if (draft.sources == 0) {
    // A key that is unknown was meant for the source, and has been reported.
    const std::vector<Node::Entry> entries = node.entries();
    const bool all_known =
        std::all_of(entries.begin(), entries.end(),
                    [&](const Node::Entry& entry) { return is_modifier(entry) || is_test(entry); });
    if (all_known) {
      node.problem("a selector names one of " + list_of_sources(with_client_key));
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
  check_chain(node, draft.selector);
}

/// The whole of a chain goes into its text.
Selector finished(Selector selector) {
  if (selector.otherwise) selector.text += ", otherwise: {" + selector.otherwise->text + "}";
  return selector;
}

Json exactly_one_source(Json schema, bool with_client_key) {
  Json choices = Json::array();
  for (const SourceName& each : source_names()) {
    if (each.source == Source::client_key && !with_client_key) continue;
    choices.push_back(Json::object({{"required", Json::array({each.key})}}));
  }
  schema.set("oneOf", std::move(choices));
  return schema;
}

void check_condition(const Node& node, const ConditionDraft& draft) {
  check_selector(node, draft, false);
  std::vector<std::string> tests;
  for (const Node::Entry& entry : node.entries()) {
    if (is_test(entry)) tests.push_back(entry.key);
    if (entry.key == "const") {
      entry.key_problem("a condition on a constant is always true or always false");
    }
  }
  if (tests.empty()) node.problem("a condition has one of equals, in or regex");
  if (tests.size() > 1) node.problem("a condition has only one of " + one_of(tests));
}

Kind<policies::Condition> condition() {
  Keys<ConditionDraft> keys{"a condition", selector_rows<ConditionDraft>(false)};
  keys.rows.push_back(key<ConditionDraft>("equals", &ConditionDraft::equals, text("text"),
                                          "The field's text is this."));
  keys.rows.push_back(key<ConditionDraft>("in", &ConditionDraft::in,
                                          list("texts", text("text"), Empty::refused),
                                          "The field's text is one of these."));
  keys.rows.push_back(key<ConditionDraft>("regex", &ConditionDraft::regex, regex(),
                                          "The field's whole text matches this (RE2)."));
  const Kind<ConditionDraft> draft = section<ConditionDraft>(std::move(keys), check_condition);
  Kind<policies::Condition> kind;
  kind.names = draft.names;
  kind.read = [draft](const Node& node) -> std::optional<policies::Condition> {
    auto value = draft.read(node);
    if (!value || value->selector.text.empty()) return std::nullopt;
    policies::Condition out;
    out.selector = finished(std::move(value->selector));
    out.any_of = std::move(value->in);
    if (node.get("equals")) out.any_of.push_back(std::move(value->equals));
    out.regex = std::move(value->regex);
    return out;
  };
  kind.schema = [draft] { return exactly_one_source(draft.schema(), false); };
  return kind;
}

}  // namespace

Kind<Selector> selector(Sources sources) {
  const bool with_client_key = sources == Sources::all;
  Keys<SelectorDraft> keys{with_client_key ? "a selector of a fingerprint" : "a selector",
                           selector_rows<SelectorDraft>(with_client_key)};
  const Kind<SelectorDraft> draft = section<SelectorDraft>(
      std::move(keys), [with_client_key](const Node& node, const SelectorDraft& value) {
        check_selector(node, value, with_client_key);
      });
  Kind<Selector> kind;
  kind.names = draft.names;
  kind.read = [draft](const Node& node) -> std::optional<Selector> {
    auto value = draft.read(node);
    if (!value || value->selector.text.empty()) return std::nullopt;
    return finished(std::move(value->selector));
  };
  kind.schema = [draft, with_client_key] {
    return exactly_one_source(draft.schema(), with_client_key);
  };
  return kind;
}

Kind<std::vector<Selector>> selectors(Sources sources, Empty empty) {
  Kind<std::vector<Selector>> kind = list("selectors", selector(sources), empty);
  kind.print = [](const std::vector<Selector>&) { return Json(); };
  kind.read = [any = kind.read](const Node& node) {
    auto value = any(node);
    if (!value || value->size() != node.items().size()) return value;
    for (std::size_t i = 0; i < value->size(); ++i) {
      for (std::size_t j = 0; j < i; ++j) {
        if (reads_the_same((*value)[i], (*value)[j])) {
          node.items()[i].problem("`" + (*value)[i].text + "` is listed twice");
        }
      }
    }
    return value;
  };
  return kind;
}

Kind<std::vector<policies::Condition>> conditions() {
  Kind<std::vector<policies::Condition>> kind = list("conditions", condition(), Empty::refused);
  kind.print = [](const std::vector<policies::Condition>&) { return Json(); };
  return kind;
}

Kind<std::vector<policies::Condition>> one_or_more_conditions() {
  using Conditions = std::vector<policies::Condition>;
  const Kind<policies::Condition> one = condition();
  const Kind<Conditions> several = conditions();
  Kind<Conditions> kind;
  kind.names = one.names;
  kind.read = [one, several](const Node& node) -> std::optional<Conditions> {
    if (!node.is_map()) {
      auto values = several.read(node);
      if (!values || values->size() != node.items().size()) return std::nullopt;
      return values;
    }
    auto value = one.read(node);
    if (!value) return std::nullopt;
    return Conditions{*std::move(value)};
  };
  kind.schema = [one, several] {
    return Json::object({{"anyOf", Json::array({one.schema(), several.schema()})}});
  };
  return kind;
}

Selector default_client_key() {
  Selector selector;
  selector.source = Source::client_key;
  selector.name = "Idempotency-Key";
  selector.text = "client_key: Idempotency-Key";
  return selector;
}

}  // namespace onceproxy::config
