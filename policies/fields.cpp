#include "policies/fields.hpp"

#include <optional>

#include "policies/client_key.hpp"
#include "policies/cookie.hpp"
#include "policies/except.hpp"
#include "policies/form.hpp"
#include "policies/inner_values.hpp"
#include "policies/media_type.hpp"
#include "policies/method_override.hpp"
#include "policies/multipart.hpp"
#include "policies/path_template.hpp"

namespace onceproxy::policies {
namespace {

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

/// It is missing, or the body is unreadable: `why`.
Found no_field(const std::string* why) {
  if (why == nullptr) return std::nullopt;
  return tl::unexpected(SelectError{SelectError::Kind::unreadable, *why});
}

Found append_body(const Selector& selector, Document& body, std::string& out) {
  const JsonTree* const tree = body.json();
  return tree == nullptr ? no_field(body.unreadable_json()) : append_member(selector, *tree, out);
}

/// A body is compared as what it says that it is, and as JSON if it says nothing and is JSON.
/// Text whose bytes happen to spell JSON is text: 1.10 and 1.1 are two.
bool counts_as_json(const Subject& subject) {
  if (subject.reading == Reading::earlier_digest) return true;
  const BodyKind kind = subject.body.kind();
  return kind == BodyKind::json || kind == BodyKind::unsaid;
}

std::vector<Part> without(std::vector<Part> parts,
                          std::span<const std::vector<std::string>> except) {
  std::erase_if(parts, [&](const Part& part) { return leaves_out(except, part.name); });
  return parts;
}

Found append_content(const Selector& selector, const Subject& subject, std::string& out) {
  Document& body = subject.body;
  const std::string_view* const content = body.content();
  if (content == nullptr) return no_field(body.unreadable_json());
  if (looks_inside(selector)) return append_text(selector, *content, out);
  if (counts_as_json(subject)) {
    if (const JsonTree* const tree = body.json()) {
      append_without(*tree, selector.except, out);
      return ValueType::json;
    }
  } else if (subject.reading == Reading::digest && !content->empty()) {
    // What curl and others send as a form by default, and the service reads as JSON, is no form:
    // `+` and a space are two there.
    if (body.kind() == BodyKind::form && !body.begins_like_json()) {
      append_form(*content, selector.except, out);
      return ValueType::form;
    }
    if (const auto* const parts = body.parts()) {
      if (selector.except.empty()) {
        append_parts(*parts, out);
      } else {
        append_parts(without(*parts, selector.except), out);
      }
      return ValueType::parts;
    }
  }
  out.append(*content);
  return ValueType::bytes;
}

Found append_xml(const Selector& selector, Document& body, std::string& out) {
  const XmlTree* const tree = body.xml();
  if (tree == nullptr) return no_field(body.unreadable_xml());
  return append_texts(selector, selector.xpath->select(*tree), out);
}

Found append_target(const Selector& selector, const RequestView& request, std::string& out) {
  if (selector.name.empty()) return append_text(selector, request.target, out);
  std::string text(request.path);
  if (request.target.find('?') != std::string_view::npos) text.append("?").append(request.query);
  return append_text(selector, text, out);
}

Found append_form_field(const Selector& selector, const Subject& subject, std::string& out) {
  Document& body = subject.body;
  const std::string_view* const content = body.content();
  if (content == nullptr) return no_field(body.unreadable_form());
  if (says_form(subject.request)) {
    return append_texts(selector, form_values(*content, selector.name), out);
  }
  if (subject.reading == Reading::earlier_digest) return std::nullopt;
  const auto* const parts = body.parts();
  if (parts == nullptr) return no_field(body.unreadable_form());
  std::vector<std::string> values;
  for (const Part& part : *parts) {
    if (part.name == selector.name) values.emplace_back(part.content);
  }
  return append_texts(selector, values, out);
}

/// What overrides the method is part of it if the policy minds: a POST and a POST that stands
/// for a DELETE must not be one.
Found append_method(const Selector& selector, const Subject& subject, std::string& out) {
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

Found append_client_key(const Selector& selector, const RequestView& request, std::string& out) {
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
  if (found == nullptr) return std::nullopt;
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

Found append_found(const Selector& selector, const Subject& subject, std::string& out) {
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
      return append_target(selector, request, out);
    case Source::content:
      return append_content(selector, subject, out);
    case Source::xml:
      return append_xml(selector, subject.body, out);
    case Source::constant:
      return append_text(selector, selector.name, out);
    case Source::client_certificate:
      return append_certificate(selector, request.certificate, out);
    case Source::client_key:
      return append_client_key(selector, request, out);
    case Source::status:
      return append_text(selector, std::to_string(subject.status), out);
  }
  return std::nullopt;
}

/// What is known of the reason why a field of the body is missing: " (the body is empty)".
std::string why_missing(const Selector& selector, const Subject& subject) {
  // The reason is not shown for conditions.
  if (subject.reading == Reading::condition) return "";
  const Source source = selector.source;
  if (source != Source::body && source != Source::form && source != Source::xml) return "";
  Document& body = subject.body;
  if (const std::string_view* const content = body.content();
      content != nullptr && content->empty()) {
    return " (the body is empty)";
  }
  if (source == Source::xml && body.xml() == nullptr) return " (the body is not XML)";
  if (source == Source::body && body.json() == nullptr) {
    return " (the body is not JSON: " + body.json_fault().text() + ")";
  }
  if (source == Source::form && !says_form(subject.request) && body.parts() == nullptr) {
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
    auto found = append_found(*at, subject, out);
    if (found && *found) return **found;
    out.resize(before);
    if (found) continue;
    if (found.error().kind == SelectError::Kind::unreadable) {
      subject.body.note_unreadable(found.error().detail);
    }
    return tl::unexpected(std::move(found.error()));
  }
  if (last->default_value) return *append_default(*last, *last->default_value, out).value();
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
