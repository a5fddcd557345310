#include "config/selector_reader.hpp"

#include "config/scalars.hpp"
#include "config/selector_checks.hpp"
#include "config/selector_rows.hpp"

namespace onceproxy::config {
namespace {

using policies::Selector;
using policies::Source;

/// A list as it is written in one line.
std::string written(const Node& node) {
  if (!node.is_list()) return node.text();
  std::string text;
  for (const Node& item : node.items()) text += (text.empty() ? "" : ", ") + item.text();
  return "[" + text + "]";
}

}  // namespace

void check_selector(const Node& node, const SelectorDraft& draft) {
  check_selector(node, draft, Of::request);
}

Selector finished(const Node& node, Selector selector) {
  for (const char* key : {"except", "take", "decode", "json", "capture"}) {
    if (const auto value = node.get(key)) {
      selector.text += ", " + std::string(key) + ": " + written(*value);
    }
  }
  if (selector.otherwise) selector.text += ", otherwise: {" + selector.otherwise->text + "}";
  return selector;
}

Json one_source(Json schema) {
  return exactly_one_source(std::move(schema), Of::request);
}

Kind<Selector> selector(Sources sources) {
  const bool with_client_key = sources == Sources::all;
  const Of of = with_client_key ? Of::request_with_key : Of::request;
  Keys<SelectorDraft> keys{with_client_key ? "a selector of a fingerprint" : "a selector",
                           selector_rows<SelectorDraft>(with_client_key)};
  const Kind<SelectorDraft> draft = section<SelectorDraft>(
      std::move(keys),
      [of](const Node& node, const SelectorDraft& value) { check_selector(node, value, of); });
  Kind<Selector> kind;
  kind.names = draft.names;
  kind.read = [draft](const Node& node) -> std::optional<Selector> {
    auto value = draft.read(node);
    if (!value || value->selector.text.empty()) return std::nullopt;
    return finished(node, std::move(value->selector));
  };
  kind.schema = [draft, of] { return exactly_one_source(draft.schema(), of); };
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

Selector default_client_key() {
  Selector selector;
  selector.source = Source::client_key;
  selector.name = "Idempotency-Key";
  selector.text = "client_key: Idempotency-Key";
  return selector;
}

}  // namespace onceproxy::config
