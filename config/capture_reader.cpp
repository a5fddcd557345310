#include "config/capture_reader.hpp"

#include "config/header_names.hpp"
#include "config/scalars.hpp"

namespace onceproxy::config {
namespace {

constexpr std::uint64_t mib = std::uint64_t{1} << 20;
constexpr std::uint64_t tib = std::uint64_t{1} << 40;

std::optional<std::string> not_a_file(std::string_view path) {
  if (path.empty() || path.back() == '/') return "is not a file";
  return std::nullopt;
}

std::optional<std::string> not_a_header(std::string_view name) {
  if (!is_token(name)) return "is not a valid header name";
  return std::nullopt;
}

Kind<std::string> lower_case_name() {
  Kind<std::string> kind = text("a header name", not_a_header);
  kind.read = [any = kind.read](const Node& node) {
    auto value = any(node);
    if (value) {
      for (char& c : *value) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
      }
    }
    return value;
  };
  return kind;
}

}  // namespace

Kind<telemetry::CaptureOptions> capture() {
  using C = telemetry::CaptureOptions;
  return section<C>(
      {"log.capture",
       {key<C>("path", &C::path, text("a file", not_a_file),
               "The file to which lines are appended. It contains requests with their bodies, and "
               "only its owner may read it.",
               Need::required),
        key<C>("sample", &C::sample, share(),
               "The share of requests that are written, from 0 to 1. Of one operation, either all "
               "requests are written or none."),
        key<C>("max_bytes", &C::bytes_max, as<std::uint64_t>(size(mib, tib)),
               "Maximum size of the file. When the file is moved away, a new one is started."),
        key<C>("redact", &C::redact, list("header names", lower_case_name()),
               "Header fields whose values are replaced by a digest. Equal values have equal "
               "digests until the next start.")},
       {},
       {},
       "path"});
}

}  // namespace onceproxy::config
