#include "proxy/admin/statistics.hpp"

#include <re2/re2.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <memory>

#include "proxy/telemetry/json_text.hpp"

namespace onceproxy::admin {
namespace {

struct Sample {
  /// With its labels.
  std::string_view name;
  std::string_view value;
  bool grows = false;
};

/// Calls read(Sample) for each sample but histograms' buckets.
template <typename Read>
void each_sample(std::string_view exposition, Read read) {
  bool histogram = false, counter = false;
  while (!exposition.empty()) {
    const std::string_view line = exposition.substr(0, exposition.find('\n'));
    exposition.remove_prefix(std::min(exposition.size(), line.size() + 1));
    if (line.starts_with("# TYPE ")) {
      histogram = line.ends_with(" histogram");
      counter = line.ends_with(" counter");
    }
    if (line.empty() || line.front() == '#') continue;
    const std::size_t space = line.rfind(' ');
    if (space == std::string_view::npos) continue;
    const std::string_view name = line.substr(0, space);
    if (histogram && name.substr(0, name.find('{')).ends_with("_bucket")) continue;
    read(Sample{name, line.substr(space + 1), histogram || counter});
  }
}

double number(std::string_view text) {
  double value = 0;
  // std::from_chars does not read the plus sign of "+Inf".
  if (text.starts_with('+')) text.remove_prefix(1);
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

/// The value of a label; the exposition's names hold no comma and no quotation mark in those that
/// are asked for here.
std::string_view label(std::string_view name, std::string_view label) {
  const std::string begin = std::string(label) + "=\"";
  const std::size_t at = name.find(begin);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = name.substr(at + begin.size());
  return rest.substr(0, rest.find('"'));
}

}  // namespace

tl::expected<NameFilter, std::string> name_filter(const std::string& expression) {
  constexpr std::size_t expression_bytes_max = 1'024;
  constexpr std::int64_t automaton_bytes_max = 1 << 20;
  if (expression.size() > expression_bytes_max) {
    return tl::unexpected(std::string("filter: longer than 1024 bytes"));
  }
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(automaton_bytes_max);
  const auto compiled = std::make_shared<const re2::RE2>(expression, options);
  if (!compiled->ok()) {
    return tl::unexpected("filter: not a valid regular expression (RE2): " + compiled->error());
  }
  return NameFilter([compiled](std::string_view name) {
    return re2::RE2::PartialMatch(re2::StringPiece(name.data(), name.size()), *compiled);
  });
}

UpstreamCounts upstream_counts(std::string_view exposition) {
  UpstreamCounts counts;
  each_sample(exposition, [&counts](const Sample& sample) {
    if (!sample.name.starts_with("onceproxy_upstream_requests_total{")) return;
    const auto value = static_cast<std::uint64_t>(number(sample.value));
    const std::string_view code_class = label(sample.name, "code_class");
    const bool answered =
        code_class == "1xx" || code_class == "2xx" || code_class == "3xx" || code_class == "4xx";
    counts.total += value;
    if (!answered) counts.failed += value;
  });
  return counts;
}

/// show(name, value).
template <typename Show>
void Statistics::each(std::string_view exposition, const NameFilter& filter, Show show) const {
  each_sample(exposition, [&](const Sample& sample) {
    if (filter && !filter(sample.name)) return;
    const auto before = at_reset_.find(sample.name);
    if (!sample.grows || before == at_reset_.end()) {
      show(sample.name, sample.value);
      return;
    }
    // Enough for every double in this format.
    std::array<char, 512> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(),
                                   number(sample.value) - before->second, std::chars_format::fixed)
                         .ptr;
    show(sample.name,
         std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data())));
  });
}

std::string Statistics::lines(std::string_view exposition, const NameFilter& filter) const {
  std::string text;
  each(exposition, filter, [&text](std::string_view name, std::string_view value) {
    text.append(name).append(": ").append(value) += '\n';
  });
  return text;
}

std::string Statistics::json(std::string_view exposition, const NameFilter& filter) const {
  std::string text = R"({"stats":[)";
  bool first = true;
  each(exposition, filter, [&](std::string_view name, std::string_view value) {
    if (!first) text += ',';
    first = false;
    text += R"({"name":)";
    telemetry::append_json_string(text, name);
    text += R"(,"value":)";
    // JSON has no number for what is not one.
    const bool finite = std::isfinite(number(value));
    text.append(finite ? value : "null") += '}';
  });
  return text + "]}\n";
}

void Statistics::reset(std::string_view exposition) {
  at_reset_.clear();
  each_sample(exposition, [&](const Sample& sample) {
    if (sample.grows) at_reset_.emplace(sample.name, number(sample.value));
  });
}

}  // namespace onceproxy::admin
