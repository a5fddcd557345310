#include "config/entity_reader.hpp"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "config/policy_rows.hpp"
#include "config/scalars.hpp"
#include "config/selector_reader.hpp"
#include "config/selector_rows.hpp"
#include "config/text.hpp"
#include "policies/request_view.hpp"
#include "policies/sequence.hpp"

namespace onceproxy::config {
namespace {

using namespace std::chrono_literals;
using policies::EntityRule;
using policies::RateLimit;
using policies::Selector;
using policies::SequenceRule;
using store::Sequence;

struct SequenceDraft : SelectorDraft {
  std::optional<Sequence::Kind> as;
  bool equal_passes = false;
};

/// Fields that are HTTP dates (RFC 9110 5.6.7): text that has no order of its kind here.
bool is_http_date(const Selector& selector) {
  static constexpr std::string_view names[] = {"date", "expires", "if-modified-since",
                                               "if-unmodified-since", "last-modified"};
  return selector.source == policies::Source::header &&
         std::any_of(std::begin(names), std::end(names), [&](std::string_view name) {
           return policies::equals_ignoring_case(name, selector.name);
         });
}

bool is_array(const Selector& selector) {
  return selector.sort ||
         std::find(selector.pointer.begin(), selector.pointer.end(), "*") != selector.pointer.end();
}

/// What certainly has no order, whatever the request.
void check_order(const Node& node, const SequenceDraft& draft) {
  check_selector(node, draft);
  for (const char* source : {"method", "target", "content", "const", "client_certificate"}) {
    const auto named = node.get(source);
    if (!named) continue;
    named->problem(
        "`" + std::string(source) +
        "` cannot be a sequence; select a field with an integer that the sender counts up");
  }
  const auto kind = draft.as.value_or(Sequence::Kind::integer);
  std::optional<Node> at = node;
  for (const Selector* one = &draft.selector; one != nullptr && at; one = one->otherwise.get()) {
    if (is_array(*one)) at->problem("`" + one->text + "` is an array, which has no order");
    if (is_http_date(*one)) {
      at->problem("`" + one->text +
                  "` is an HTTP date, which cannot be a sequence; select a field " +
                  "with an integer or an RFC 3339 time");
    }
    const auto standing_in = at->get("default");
    if (standing_in && one->default_value &&
        !policies::parse_sequence(kind, policies::ValueType::text, *one->default_value)) {
      standing_in->problem(quote(*one->default_value) + " is not " +
                           std::string(policies::described(kind)));
    }
    at = at->get("otherwise");
  }
}

Kind<SequenceRule> sequence() {
  Keys<SequenceDraft> keys{"a sequence", selector_rows<SequenceDraft>(false)};
  keys.rows.push_back(key<SequenceDraft>(
      "as", &SequenceDraft::as,
      word<Sequence::Kind>({{"integer", Sequence::Kind::integer},
                            {"time", Sequence::Kind::time},
                            {"hex", Sequence::Kind::hex}}),
      "The type of the field. integer (default): a number of 64 bits. time: RFC 3339. hex: 1 to 32 "
      "hexadecimal digits, compared from the left, as S3 writes its sequencers."));
  keys.rows.push_back(key<SequenceDraft>(
      "equal", &SequenceDraft::equal_passes, word<bool>({{"stale", false}, {"pass", true}}),
      "How a request is treated if its position equals the highest completed one of the entity. "
      "stale: it is not forwarded. pass: it is forwarded."));
  const Kind<SequenceDraft> draft = section<SequenceDraft>(std::move(keys), check_order);
  Kind<SequenceRule> kind;
  kind.names = draft.names;
  kind.read = [draft](const Node& node) -> std::optional<SequenceRule> {
    auto value = draft.read(node);
    if (!value || value->selector.text.empty()) return std::nullopt;
    SequenceRule rule(finished(node, std::move(value->selector)));
    rule.as = value->as;
    rule.equal_passes = value->equal_passes;
    return rule;
  };
  kind.schema = [draft] { return one_source(draft.schema()); };
  return kind;
}

}  // namespace

Kind<EntityRule> entity() {
  return section<EntityRule>(
      {"entity",
       {key<EntityRule>(
            "type", &EntityRule::type, name_text("an entity's type"),
            "The type of the entity, such as ride. Policies with the same type share its entities.",
            Need::required),
        key<EntityRule>("id", &EntityRule::id, selectors(Sources::no_client_key, Empty::refused),
                        "The fields that name the entity, in order.", Need::required),
        key<EntityRule>(
            "wait", &EntityRule::wait, duration(0ms, 5min),
            "How long a request waits for its turn; after that it gets 503. 0s: it does not wait."),
        key<EntityRule>("sequence", &EntityRule::sequence, sequence(),
                        "The position of the request in the order of its entity: a selector, with "
                        "`as` and `equal`. If it is not above the highest completed position of "
                        "the entity, the request is stale and is not forwarded."),
        key<EntityRule>("closes", &EntityRule::closes, duration(10ms, 24h * 366),
                        "How long the entity stays closed after the operation has completed."),
        key<EntityRule>("unless_closed", &EntityRule::unless_closed, flag(),
                        "Whether requests are refused while the entity is closed.")}});
}

Kind<RateLimit> rate_limit() {
  return section<RateLimit>(
      {"rate_limit",
       {key<RateLimit>("limit", &RateLimit::limit, as<std::uint32_t>(integer(1, 1'000'000)),
                       "How many operations are forwarded within `per`; also the largest burst.",
                       Need::required),
        key<RateLimit>("per", &RateLimit::per, duration(1s, 24h * 366),
                       "The time within which `limit` operations are forwarded.", Need::required),
        key<RateLimit>("by", &RateLimit::by, selectors(Sources::no_client_key, Empty::refused),
                       "The fields by whose values operations are limited separately. Default: the "
                       "fingerprint.")}});
}

}  // namespace onceproxy::config
