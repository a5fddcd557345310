#include "config/entity_reader.hpp"

#include "config/policy_rows.hpp"
#include "config/scalars.hpp"
#include "config/selector_reader.hpp"

namespace onceproxy::config {
namespace {

using namespace std::chrono_literals;
using policies::EntityRule;
using policies::RateLimit;
using policies::Selector;

/// A selector of a number that a sender counts up.
Kind<Selector> sequence() {
  Kind<Selector> kind = selector(Sources::no_client_key);
  kind.read = [any = kind.read](const Node& node) {
    auto value = any(node);
    for (const char* source : {"method", "target", "content", "const"}) {
      const auto named = node.get(source);
      if (!named) continue;
      named->problem(
          "`" + std::string(source) +
          "` cannot be a sequence; select a field with an integer that the sender counts up");
    }
    return value;
  };
  return kind;
}

}  // namespace

Kind<EntityRule> entity() {
  return section<EntityRule>(
      {"entity",
       {key<EntityRule>("type", &EntityRule::type, name_text("an entity's type"),
                        "What the entity is, such as ride; policies that name one type share its "
                        "entities.",
                        Need::required),
        key<EntityRule>("id", &EntityRule::id, selectors(Sources::no_client_key, Empty::refused),
                        "The fields that name the entity, in order.", Need::required),
        key<EntityRule>(
            "wait", &EntityRule::wait, duration(0ms, 5min),
            "How long a request waits for its turn; then it gets 503. 0s: it does not wait."),
        key<EntityRule>("sequence", &EntityRule::sequence, sequence(),
                        "An integer. At or below the entity's highest completed one the request "
                        "is stale, and is not forwarded."),
        key<EntityRule>("closes", &EntityRule::closes, duration(10ms, 24h * 366),
                        "How long the entity is closed after the operation has completed."),
        key<EntityRule>("unless_closed", &EntityRule::unless_closed, flag(),
                        "Whether requests are refused while the entity is closed.")}});
}

Kind<RateLimit> rate_limit() {
  return section<RateLimit>(
      {"rate_limit",
       {key<RateLimit>("limit", &RateLimit::limit, as<std::uint32_t>(integer(1, 1'000'000)),
                       "How many operations are let through within `per`; also the largest burst.",
                       Need::required),
        key<RateLimit>("per", &RateLimit::per, duration(1s, 24h * 366),
                       "The time within which `limit` operations are let through.", Need::required),
        key<RateLimit>("by", &RateLimit::by, selectors(Sources::no_client_key, Empty::refused),
                       "The fields by whose values operations are limited separately. Default: the "
                       "fingerprint.")}});
}

}  // namespace onceproxy::config
