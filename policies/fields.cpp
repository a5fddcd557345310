#include "policies/fields.hpp"

#include <algorithm>
#include <optional>

#include "policies/ascii.hpp"
#include "policies/canonical.hpp"
#include "policies/client_key.hpp"
#include "policies/cookie.hpp"
#include "policies/form.hpp"
#include "policies/json.hpp"
#include "policies/json_string.hpp"
#include "policies/media_type.hpp"
#include "policies/method_override.hpp"
#include "policies/multipart.hpp"
#include "policies/path_template.hpp"
#include "policies/pointer.hpp"

namespace onceproxy::policies {
namespace {

/// Nothing: the field is not there.
using Found = std::optional<ValueType>;

void append_array(std::vector<std::string>& elements, bool as_set, std::string& out) {
  if (as_set) {
    std::sort(elements.begin(), elements.end());
    elements.erase(std::unique(elements.begin(), elements.end()), elements.end());
  }
  out += '[';
  for (std::size_t i = 0; i < elements.size(); ++i) {
    if (i != 0) out += ',';
    out += elements[i];
  }
  out += ']';
}

Found append_text(const Selector& selector, std::string_view text, std::string& out) {
  append_modified_text(selector, text, out);
  return ValueType::text;
}

/// One value is text; several of one name are the array of them, so that `a=1&a=2` is neither
/// `a=1` nor `a=2`, whichever of them the upstream reads.
Found append_texts(const Selector& selector, std::span<const std::string> texts, std::string& out) {
  if (texts.empty()) return std::nullopt;
  if (texts.size() == 1) return append_text(selector, texts.front(), out);
  std::vector<std::string> elements;
  std::string modified;
  for (const std::string& text : texts) {
    modified.clear();
    append_modified_text(selector, text, modified);
    append_json_string(modified, elements.emplace_back());
  }
  append_array(elements, selector.sort, out);
  return ValueType::json;
}

/// Fields of one name are one list (RFC 9110 5.3).
Found append_header(const Selector& selector, const RequestView& request, std::string& out) {
  const Field* first = request.header(selector.name);
  if (first == nullptr) return std::nullopt;
  const auto rest =
      request.headers.subspan(static_cast<std::size_t>(first - request.headers.data()) + 1);
  std::string joined;
  for (const Field& field : rest) {
    if (!equals_ignoring_case(field.name, selector.name)) continue;
    if (joined.empty()) joined = first->value;
    joined.append(", ").append(field.value);
  }
  return append_text(selector, joined.empty() ? first->value : joined, out);
}

/// `pointer` names an array, or with `*` makes one; its elements in canonical form, each once.
Found append_set(const JsonTree& tree, JsonTree::Index from, const Selector& selector,
                 std::string& out) {
  const std::span<const std::string> pointer = selector.pointer;
  const auto star = std::find(pointer.begin(), pointer.end(), "*");
  const auto before = static_cast<std::size_t>(star - pointer.begin());
  const auto rest = star == pointer.end() ? pointer.last(0) : pointer.subspan(before + 1);
  const auto array = resolve(tree, from, pointer.first(before));
  if (!array || tree.kind(*array) != JsonTree::Kind::array) return std::nullopt;
  std::vector<std::string> elements;
  for (const JsonTree::Index element : tree.children(*array)) {
    if (!append_every(tree, element, rest, selector, elements.emplace_back())) return std::nullopt;
  }
  append_array(elements, true, out);
  return ValueType::json;
}

Found append_json(const JsonTree& tree, JsonTree::Index value, const Selector& selector,
                  std::string& out) {
  if (tree.kind(value) == JsonTree::Kind::string) {
    return append_text(selector, tree.text(value), out);
  }
  append_canonical(tree, value, selector, out);
  return ValueType::json;
}

/// It is missing, or the body is unreadable: `why`.
tl::expected<Found, SelectError> no_field(const std::string* why) {
  if (why == nullptr) return Found();
  return tl::unexpected(SelectError{SelectError::Kind::unreadable, *why});
}

Found append_member(const Selector& selector, const JsonTree& tree, std::string& out) {
  if (has_wildcard(selector.pointer)) {
    if (selector.sort) return append_set(tree, 0, selector, out);
    if (!append_every(tree, 0, selector.pointer, selector, out)) return std::nullopt;
    return ValueType::json;
  }
  const auto value = resolve(tree, 0, selector.pointer);
  if (!value) return std::nullopt;
  if (selector.sort && tree.kind(*value) == JsonTree::Kind::array) {
    return append_set(tree, 0, selector, out);
  }
  return append_json(tree, *value, selector, out);
}

tl::expected<Found, SelectError> append_body(const Selector& selector, Document& body,
                                             std::string& out) {
  const JsonTree* const tree = body.json();
  return tree == nullptr ? no_field(body.unreadable_json()) : append_member(selector, *tree, out);
}

/// A body is compared as what it says that it is, and as JSON where it says nothing and is JSON.
/// Text whose bytes happen to spell JSON is text: 1.10 and 1.1 are two.
bool counts_as_json(const Subject& subject) {
  if (subject.reading == Reading::earlier_digest) return true;
  const BodyKind kind = subject.body.kind();
  return kind == BodyKind::json || kind == BodyKind::unsaid;
}

tl::expected<Found, SelectError> append_content(const Selector& selector, const Subject& subject,
                                                std::string& out) {
  Document& body = subject.body;
  const std::string_view* const content = body.content();
  if (content == nullptr) return no_field(body.unreadable_json());
  if (counts_as_json(subject)) {
    if (const JsonTree* const tree = body.json()) {
      append_canonical(*tree, 0, selector, out);
      return ValueType::json;
    }
  } else if (subject.reading == Reading::digest && !content->empty()) {
    // What curl and others send as a form by default, and the service reads as JSON, is no form:
    // `+` and a space are two there.
    if (body.kind() == BodyKind::form && !body.begins_like_json()) {
      append_form(*content, out);
      return ValueType::form;
    }
    if (const auto* const parts = body.parts()) {
      append_parts(*parts, out);
      return ValueType::parts;
    }
  }
  out.append(*content);
  return ValueType::bytes;
}

tl::expected<Found, SelectError> append_form_field(const Selector& selector, const Subject& subject,
                                                   std::string& out) {
  Document& body = subject.body;
  const std::string_view* const content = body.content();
  if (content == nullptr) return no_field(body.unreadable_form());
  if (says_form(subject.request)) {
    return append_texts(selector, form_values(*content, selector.name), out);
  }
  if (subject.reading == Reading::earlier_digest) return Found();
  const auto* const parts = body.parts();
  if (parts == nullptr) return no_field(body.unreadable_form());
  std::vector<std::string> values;
  for (const Part& part : *parts) {
    if (part.name == selector.name) values.emplace_back(part.content);
  }
  return append_texts(selector, values, out);
}

/// What overrides the method is part of it where the policy minds: a POST and a POST that stands
/// for a DELETE must not be one.
tl::expected<Found, SelectError> append_method(const Selector& selector, const Subject& subject,
                                               std::string& out) {
  if (!subject.match.method_override) return append_text(selector, subject.request.method, out);
  std::string text(subject.request.method);
  const auto overriding = overriding_methods(subject.request, subject.body);
  if (!overriding) return no_field(subject.body.unreadable_form());
  for (const std::string& method : *overriding) text.append(", ").append(method);
  return append_text(selector, text, out);
}

Found append_capture(const Selector& selector, const Subject& subject, std::string& out) {
  const auto value = captured(subject.match, subject.request.path, selector.name);
  if (!value) return std::nullopt;
  return append_text(selector, *value, out);
}

/// A default stands for what the field would have held: in a body, the JSON value that it spells,
/// where it spells one.
Found append_default(const Selector& selector, std::string& out) {
  if (!selector.default_value) return std::nullopt;
  if (selector.source == Source::body) {
    if (const auto tree = JsonTree::parse(*selector.default_value)) {
      return append_json(*tree, 0, selector, out);
    }
  }
  return append_text(selector, *selector.default_value, out);
}

tl::expected<Found, SelectError> append_client_key(const Selector& selector,
                                                   const RequestView& request, std::string& out) {
  const auto bad = [&](std::string_view why) {
    SelectError error{SelectError::Kind::bad_key, std::string(why)};
    error.key_header = selector.name;
    return tl::unexpected(std::move(error));
  };
  const Field* found = nullptr;
  for (const Field& field : request.headers) {
    if (!equals_ignoring_case(field.name, selector.name)) continue;
    if (found != nullptr) return bad("the field came twice");
    found = &field;
  }
  if (found == nullptr) return Found();
  std::string scratch;
  const auto key = parse_client_key(found->value, scratch);
  if (!key) return bad(key.error());
  if (selector.pattern &&
      !re2::RE2::FullMatch(re2::StringPiece(key->data(), key->size()), *selector.pattern)) {
    return bad("the key does not match the pattern it must match");
  }
  return append_text(selector, *key, out);
}

Found append_certificate(const Selector& selector, const ClientCertificate* certificate,
                         std::string& out) {
  if (certificate == nullptr) return std::nullopt;
  if (selector.name == "san_uri") return append_texts(selector, certificate->uris, out);
  if (selector.name == "san_dns") return append_texts(selector, certificate->hosts, out);
  const std::string_view text =
      selector.name == "subject" ? certificate->subject : certificate->sha256;
  // A certificate may have no subject; it is then no name that two could share.
  if (text.empty()) return std::nullopt;
  return append_text(selector, text, out);
}

tl::expected<Found, SelectError> append_found(const Selector& selector, const Subject& subject,
                                              std::string& out) {
  const RequestView& request = subject.request;
  switch (selector.source) {
    case Source::header:
      return append_header(selector, request, out);
    case Source::query:
      return append_texts(selector, form_values(request.query, selector.name), out);
    case Source::path:
      return append_capture(selector, subject, out);
    case Source::cookie:
      return append_texts(selector, cookie_values(request.headers, selector.name), out);
    case Source::body:
      return append_body(selector, subject.body, out);
    case Source::form:
      return append_form_field(selector, subject, out);
    case Source::method:
      return append_method(selector, subject, out);
    case Source::target:
      return append_text(selector, request.target, out);
    case Source::content:
      return append_content(selector, subject, out);
    case Source::constant:
      return append_text(selector, selector.name, out);
    case Source::client_certificate:
      return append_certificate(selector, request.certificate, out);
    case Source::client_key:
      return append_client_key(selector, request, out);
    case Source::status:
      return append_text(selector, std::to_string(subject.status), out);
  }
  return Found();
}

/// What is known of the reason why a field of the body is missing: " (the body is empty)".
std::string why_missing(const Selector& selector, const Subject& subject) {
  // A condition tells nobody.
  if (subject.reading == Reading::condition) return "";
  if (selector.source != Source::body && selector.source != Source::form) return "";
  Document& body = subject.body;
  if (const std::string_view* const content = body.content();
      content != nullptr && content->empty()) {
    return " (the body is empty)";
  }
  if (selector.source == Source::body && body.json() == nullptr) {
    return " (the body is not JSON: " + body.json_fault().text() + ")";
  }
  if (selector.source == Source::form && !says_form(subject.request) && body.parts() == nullptr) {
    return " (the body is not a form)";
  }
  return "";
}

SelectError missing(const Selector& selector, const Subject& subject) {
  SelectError error{SelectError::Kind::missing, selector.text + why_missing(selector, subject)};
  if (selector.source == Source::client_key) error.key_header = selector.name;
  return error;
}

}  // namespace

std::string told(const SelectError& error) {
  switch (error.kind) {
    case SelectError::Kind::missing:
      if (!error.expected.empty()) return error.detail + " is not " + std::string(error.expected);
      return error.detail + " is missing";
    case SelectError::Kind::bad_key:
      return error.key_header + ": " + error.detail;
    case SelectError::Kind::unreadable:
      break;
  }
  return error.detail;
}

tl::expected<ValueType, SelectError> append_field(const Selector& selector, const Subject& subject,
                                                  std::string& out) {
  const std::size_t before = out.size();
  const Selector* last = &selector;
  for (const Selector* at = last; at != nullptr; at = at->otherwise.get()) {
    last = at;
    const auto found = append_found(*at, subject, out);
    if (found && *found) return **found;
    out.resize(before);
    if (!found) return tl::unexpected(found.error());
  }
  if (const Found standing_in = append_default(*last, out)) return *standing_in;
  return tl::unexpected(missing(selector, subject));
}

tl::expected<std::vector<Value>, SelectError> read_fields(std::span<const Selector> selectors,
                                                          const Subject& subject) {
  std::vector<Value> values;
  values.reserve(selectors.size());
  for (const Selector& selector : selectors) {
    Value& value = values.emplace_back();
    const auto type = append_field(selector, subject, value.text);
    if (!type) return tl::unexpected(type.error());
    value.type = *type;
  }
  return values;
}

}  // namespace onceproxy::policies
