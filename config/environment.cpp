#include "config/environment.hpp"

#include <cstdlib>

#include "config/text.hpp"

namespace onceproxy::config {
namespace {

bool is_variable_name(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  for (const char c : name) {
    const bool ok =
        (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    if (!ok) return false;
  }
  return true;
}

/// `inside` is what stands between the braces.
tl::expected<std::string, std::string> value_of(std::string_view inside,
                                                const Environment& environment) {
  const std::size_t split = inside.find(":-");
  const std::string name(inside.substr(0, split));
  if (!is_variable_name(name)) {
    return tl::unexpected(quote(name) +
                          " is not a variable name; write ${NAME} or ${NAME:-default}, and $${ for "
                          "a literal ${");
  }
  std::optional<std::string> value = environment(name);
  if (split == std::string_view::npos) {
    if (value) return *std::move(value);
    return tl::unexpected("the environment variable " + name +
                          " is not set; set it, or give a default: ${" + name + ":-…}");
  }
  if (value && !value->empty()) return *std::move(value);
  const std::string_view fallback = inside.substr(split + 2);
  if (fallback.find("${") != std::string_view::npos) {
    return tl::unexpected("the default of ${" + name + ":-…} may not hold another variable");
  }
  return std::string(fallback);
}

}  // namespace

tl::expected<Substituted, std::string> substitute(std::string_view text,
                                                  const Environment& environment) {
  Substituted out;
  for (std::size_t i = 0; i < text.size();) {
    if (text.substr(i, 3) == "$${") {
      out.text += "${";
      i += 3;
    } else if (text.substr(i, 2) == "${") {
      const std::size_t end = text.find('}', i);
      if (end == std::string_view::npos) {
        return tl::unexpected(std::string("${ without }; write $${ for a literal ${"));
      }
      auto value = value_of(text.substr(i + 2, end - i - 2), environment);
      if (!value) return tl::unexpected(std::move(value.error()));
      out.text += *value;
      out.changed = true;
      i = end + 1;
    } else {
      out.text += text[i++];
    }
  }
  return out;
}

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    // Nothing here changes the environment once threads run.
    const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe)
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  };
}

}  // namespace onceproxy::config
