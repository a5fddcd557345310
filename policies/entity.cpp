#include "policies/entity.hpp"

#include <vector>

#include "policies/digest.hpp"
#include "policies/grammar.hpp"
#include "policies/sequence.hpp"

namespace onceproxy::policies {
namespace {

// Raised with any change to the grammar in README.md: a new number makes every entity a new one.
constexpr std::string_view entity_tag = "onceproxy/entity/1\n";

constexpr std::size_t id_bytes_max = 255;

bool continues_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) == 0x80;
}

void cut(std::string& text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return;
  std::size_t end = bytes_max;
  // A character has at most three such bytes; more of them are not UTF-8 that must be kept whole.
  while (end > bytes_max - 3 && continues_character(text[end])) --end;
  text.resize(continues_character(text[end]) ? bytes_max : end);
}

}  // namespace

store::EntityKey entity_key(std::string_view type, std::span<const std::string> id) {
  std::string bytes(entity_tag);
  append_counted(type, bytes);
  append_number(id.size(), bytes);
  for (const std::string& part : id) append_counted(part, bytes);
  store::EntityKey key;
  key.bytes = sha256(bytes);
  return key;
}

std::string entity_id_text(std::span<const std::string> id) {
  std::string text;
  for (std::size_t i = 0; i < id.size(); ++i) {
    if (i != 0) text += '/';
    text += id[i];
  }
  cut(text, id_bytes_max);
  return text;
}

tl::expected<OperationEntity, SelectError> read_entity(const EntityRule& rule,
                                                       const Subject& subject) {
  std::vector<std::string> id;
  id.reserve(rule.id.size());
  for (const Selector& selector : rule.id) {
    const auto type = append_field(selector, subject, id.emplace_back());
    if (!type) return tl::unexpected(type.error());
  }
  OperationEntity entity{entity_key(rule.type, id), entity_id_text(id), std::nullopt};
  if (!rule.sequence) return entity;
  const auto sequence = read_sequence(*rule.sequence, subject);
  if (!sequence) return tl::unexpected(sequence.error());
  entity.sequence = *sequence;
  return entity;
}

}  // namespace onceproxy::policies
