// The rows of a selector's table: one for each source and each modifier. It is a template, because
// a condition's table has these rows and its own. Pure; thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "config/header_names.hpp"
#include "config/kind.hpp"
#include "config/scalars.hpp"
#include "config/selector_reader.hpp"
#include "policies/pointer.hpp"
#include "policies/policy.hpp"
#include "policies/xml.hpp"

namespace onceproxy::config {

/// The reason why a text is not a JSON Pointer, a cookie's name, or any name.
std::optional<std::string> wrong_pointer(std::string_view pointer);
std::optional<std::string> wrong_cookie(std::string_view name);
std::optional<std::string> wrong_name(std::string_view name);

/// For `client_certificate`: the part of the certificate.
Kind<std::string> certificate_name();

/// For `round`, which is an int in the Selector.
Kind<int> decimal_places();

/// For `json`, `take` and `except`: a JSON Pointer, a list of them, a list of them without the one
/// for the whole document.
Kind<std::vector<std::string>> pointer();
Kind<std::vector<std::vector<std::string>>> pointers();
Kind<std::vector<std::vector<std::string>>> pointers_into();

/// For `capture`: an expression with one group.
Kind<policies::Regex> capture_pattern();

/// For `xml`. The expression is compiled here to find errors, and later again.
Kind<std::string> xpath();

/// For `target`: true, which is the empty name, or a word.
Kind<std::string> target_form();

/// For `otherwise`: a selector again, so the schema is a reference to the one in $defs.
Kind<std::shared_ptr<const policies::Selector>> other_selector();

/// A selector while it is being read.
struct SelectorDraft {
  policies::Selector selector;
  std::size_t sources = 0;
};

/// A row whose key names the source.
template <typename Owner, typename T>
Key<Owner> source_key(const char* name, policies::Source source, Kind<T> kind,
                      std::string description) {
  Key<Owner> row = key<Owner>(
      name, [](Owner& owner) -> std::string& { return owner.selector.name; }, text("text"),
      std::move(description));
  row.schema = [kind, schema = row.schema] {
    Json out = kind.schema();
    Json described = schema();
    set_member(out, "description", *json_member(described, "description"));
    return out;
  };
  row.read = [name = std::string(name), source, kind](const Node& node, Owner& owner) {
    ++owner.sources;
    const auto value = kind.read(node);
    if (!value) return;
    policies::Selector& selector = owner.selector;
    selector.source = source;
    selector.text = name + ": ";
    if constexpr (std::is_same_v<T, bool>) {
      selector.text += "true";
    } else {
      selector.name = *value;
      const char* const empty = source == policies::Source::target ? "true" : "\"\"";
      selector.text += value->empty() ? empty : *value;
    }
    if (source == policies::Source::body)
      selector.pointer = *policies::parse_pointer(selector.name);
    if (source == policies::Source::xml) selector.xpath = *policies::XPath::compile(selector.name);
  };
  return row;
}

template <typename Owner, typename Member, typename T>
Key<Owner> modifier(const char* name, Member policies::Selector::*member, Kind<T> kind,
                    std::string description) {
  return key<Owner>(
      name, [member](Owner& owner) -> Member& { return owner.selector.*member; }, std::move(kind),
      std::move(description));
}

/// The modifiers that look inside the found value, in the order in which they apply.
template <typename Owner>
std::vector<Key<Owner>> inner_rows() {
  return {
      modifier<Owner>("except", &policies::Selector::except, pointers_into(),
                      "With content: values of a JSON body that are ignored, by JSON Pointer."),
      modifier<Owner>("take", &policies::Selector::take, pointers(),
                      "With body: takes only these fields of each selected value, by JSON Pointer, "
                      "together in an array."),
      modifier<Owner>("decode", &policies::Selector::decode,
                      word<policies::Decode>({{"base64", policies::Decode::base64},
                                              {"percent", policies::Decode::percent}}),
                      "How the text is encoded; it is decoded once."),
      modifier<Owner>("json", &policies::Selector::json, pointer(),
                      "The text is JSON; this JSON Pointer names the value in it."),
      modifier<Owner>("capture", &policies::Selector::capture, capture_pattern(),
                      "An expression (RE2) with one group. The field is the text that the group "
                      "matches, at the first place where the expression matches."),
  };
}

template <typename Owner>
std::vector<Key<Owner>> selector_rows(bool with_client_key) {
  std::vector<Key<Owner>> rows{
      source_key<Owner>("header", policies::Source::header,
                        text("a header name", wrong_request_field),
                        "The value of this header field."),
      source_key<Owner>("query", policies::Source::query, text("a parameter's name", wrong_name),
                        "The value of this query parameter."),
      source_key<Owner>(
          "path", policies::Source::path, text("a capture's name", wrong_name),
          "The text that this capture of match.path or match.path_regex has matched."),
      source_key<Owner>("cookie", policies::Source::cookie, text("a cookie's name", wrong_cookie),
                        "The value of this cookie."),
      source_key<Owner>("body", policies::Source::body, text("a JSON Pointer", wrong_pointer),
                        "A value of the JSON body, by JSON Pointer (RFC 6901); \"\" is the whole "
                        "document, and a segment * is every element of an array."),
      source_key<Owner>("form", policies::Source::form, text("a field's name", wrong_name),
                        "The value of this field of a form: of a body of the type "
                        "application/x-www-form-urlencoded or multipart/form-data."),
      source_key<Owner>("method", policies::Source::method, only_true(), "The request's method."),
      source_key<Owner>("target", policies::Source::target, target_form(),
                        "The request's path and query. true: as they came. normal: the path in "
                        "the normal form that policies match, the query as it came."),
      source_key<Owner>("content", policies::Source::content, only_true(),
                        "The body, read according to its Content-Type: JSON in canonical form, a "
                        "form by its fields, anything else by its bytes."),
      source_key<Owner>("xml", policies::Source::xml, xpath(),
                        "Text of the XML body, by XPath 1.0. A name matches elements with this "
                        "local name in any namespace."),
      source_key<Owner>("const", policies::Source::constant, text("text"), "A constant text."),
      source_key<Owner>("client_certificate", policies::Source::client_certificate,
                        certificate_name(),
                        "A name from the client's certificate, if a listener asks for one: "
                        "san_uri, san_dns, subject or sha256."),
  };
  if (with_client_key) {
    rows.push_back(source_key<Owner>(
        "client_key", policies::Source::client_key, text("a header name", wrong_request_field),
        "The header with the key that the client chose, quoted or not."));
    rows.push_back(
        modifier<Owner>("pattern", &policies::Selector::pattern, regex(),
                        "With client_key: an expression (RE2) that the whole key must match."));
  }
  for (Key<Owner>& row : inner_rows<Owner>()) rows.push_back(std::move(row));
  rows.push_back(modifier<Owner>("lower", &policies::Selector::lower, flag(),
                                 "Letters A to Z are converted to lower case."));
  rows.push_back(modifier<Owner>("trim", &policies::Selector::trim, flag(),
                                 "White space at both ends is removed."));
  rows.push_back(modifier<Owner>(
      "round", &policies::Selector::round, decimal_places(),
      "Numbers are rounded to this number of decimal places, half away from zero."));
  rows.push_back(
      modifier<Owner>("sort", &policies::Selector::sort, flag(),
                      "An array, or a parameter given several times, is treated as a set."));
  rows.push_back(modifier<Owner>("default", &policies::Selector::default_value, value_text(),
                                 "The value that stands in for a missing field."));
  rows.push_back(modifier<Owner>("otherwise", &policies::Selector::otherwise, other_selector(),
                                 "Another selector, which is used if this field is missing."));
  return rows;
}

}  // namespace onceproxy::config
