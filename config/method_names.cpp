#include "config/method_names.hpp"

#include <algorithm>

#include "config/header_names.hpp"
#include "config/scalars.hpp"
#include "config/text.hpp"

namespace onceproxy::config {
namespace {

/// IANA's HTTP Method Registry without TRACE and CONNECT, which the data port refuses, and PRI and
/// `*`, which are reserved.
const std::vector<std::string>& registered() {
  static const std::vector<std::string> names{"GET",
                                              "HEAD",
                                              "POST",
                                              "PUT",
                                              "PATCH",
                                              "DELETE",
                                              "OPTIONS",
                                              "QUERY",
                                              "ACL",
                                              "BASELINE-CONTROL",
                                              "BIND",
                                              "CHECKIN",
                                              "CHECKOUT",
                                              "COPY",
                                              "LABEL",
                                              "LINK",
                                              "LOCK",
                                              "MERGE",
                                              "MKACTIVITY",
                                              "MKCALENDAR",
                                              "MKCOL",
                                              "MKREDIRECTREF",
                                              "MKWORKSPACE",
                                              "MOVE",
                                              "ORDERPATCH",
                                              "PROPFIND",
                                              "PROPPATCH",
                                              "REBIND",
                                              "REPORT",
                                              "SEARCH",
                                              "UNBIND",
                                              "UNCHECKOUT",
                                              "UNLINK",
                                              "UNLOCK",
                                              "UPDATE",
                                              "UPDATEREDIRECTREF",
                                              "VERSION-CONTROL"};
  return names;
}

bool is_registered(std::string_view method) {
  return std::ranges::find(registered(), method) != registered().end();
}

std::string upper_case(std::string_view method) {
  std::string upper(method);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return upper;
}

/// What is wrong with any method, registered or not.
std::optional<std::string> wrong_method(std::string_view method) {
  if (!is_token(method)) return "is not a method";
  if (method == "TRACE" || method == "CONNECT") return "is refused for every request";
  return std::nullopt;
}

std::optional<std::string> wrong_word(std::string_view method) {
  if (auto wrong = wrong_method(method)) return wrong;
  if (is_registered(method)) return std::nullopt;
  const std::string upper = upper_case(method);
  if (is_registered(upper)) {
    return "is not a method: methods are case-sensitive; did you mean \"" + upper + "\"?";
  }
  const std::string meant = nearest(upper, registered());
  return "is not a registered method" +
         (meant.empty() ? ";" : "; did you mean \"" + meant + "\"? If not,") +
         " write {unregistered: " + std::string(method) + "}";
}

std::optional<std::string> wrong_unregistered(std::string_view method) {
  if (auto wrong = wrong_method(method)) return wrong;
  if (is_registered(method)) return "is a registered method; write it as a word";
  return std::nullopt;
}

struct Confirmed {
  std::string name;
};

Kind<Confirmed> confirmed() {
  return section<Confirmed>(
      {"a method",
       {key<Confirmed>("unregistered", &Confirmed::name, text("a method", wrong_unregistered),
                       "A method that is not in IANA's registry, exactly as clients send it.",
                       Need::required)}});
}

}  // namespace

Kind<std::string> method() {
  const Kind<std::string> word = text("a method", wrong_word);
  const Kind<Confirmed> other = confirmed();
  Kind<std::string> kind;
  kind.names = other.names;
  kind.print = word.print;
  kind.read = [word, other](const Node& node) -> std::optional<std::string> {
    if (!node.is_map()) return word.read(node);
    auto value = other.read(node);
    if (!value || value->name.empty()) return std::nullopt;
    return std::move(value->name);
  };
  kind.schema = [other] {
    JsonArray names;
    for (const std::string& name : registered()) names.emplace_back(name);
    return JsonObject({{"anyOf", JsonArray({or_variable(JsonObject({{"enum", std::move(names)}})),
                                            other.schema()})}});
  };
  return kind;
}

std::string written_method(const Node& item) {
  const auto other = item.get("unregistered");
  return other ? other->text() : item.text();
}

}  // namespace onceproxy::config
