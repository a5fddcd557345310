// A request to test policies with: owns what a RequestView only views.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policies/document.hpp"
#include "policies/json.hpp"
#include "policies/path.hpp"
#include "policies/path_template.hpp"
#include "policies/pointer.hpp"
#include "policies/policy.hpp"
#include "policies/request_view.hpp"
#include "policies/xml.hpp"

namespace onceproxy::policies::test {

struct Request {
  std::string method = "POST";
  std::string target = "/";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  /// Valid until the request changes.
  RequestView view() {
    fields.clear();
    for (const auto& [name, value] : headers) fields.push_back({name, value});
    const std::string_view whole = target;
    const std::size_t query = whole.find('?');
    const auto path = normalize_path(whole.substr(0, query), scratch);
    return {method, target, path ? *path : whole.substr(0, query),
            query == std::string_view::npos ? std::string_view() : whole.substr(query + 1), fields};
  }

  std::vector<Field> fields;
  std::string scratch;
};

inline Selector selector(Source source, std::string name = "") {
  Selector out;
  out.source = source;
  out.name = std::move(name);
  if (source == Source::body) out.pointer = parse_pointer(out.name).value();
  if (source == Source::xml) out.xpath = XPath::compile(out.name).value();
  out.text = "selector: " + out.name;
  return out;
}

inline Match path_match(std::string_view path) {
  Match match;
  match.has_path = true;
  match.path = parse_path_template(path).value();
  return match;
}

inline Regex regex(const std::string& pattern) {
  return std::make_shared<re2::RE2>(pattern);
}

}  // namespace onceproxy::policies::test
