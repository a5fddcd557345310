#include "proxy/admin/statistics.hpp"

#include <array>
#include <charconv>
#include <cstddef>

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
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

std::string Statistics::lines(std::string_view exposition) const {
  std::string text;
  each_sample(exposition, [&](const Sample& sample) {
    text.append(sample.name).append(": ");
    const auto before = at_reset_.find(sample.name);
    if (!sample.grows || before == at_reset_.end()) {
      text.append(sample.value);
    } else {
      std::array<char, 32> digits;
      const auto end =
          std::to_chars(digits.data(), digits.data() + digits.size(),
                        number(sample.value) - before->second, std::chars_format::fixed)
              .ptr;
      text.append(digits.data(), static_cast<std::size_t>(end - digits.data()));
    }
    text += '\n';
  });
  return text;
}

void Statistics::reset(std::string_view exposition) {
  at_reset_.clear();
  each_sample(exposition, [&](const Sample& sample) {
    if (sample.grows) at_reset_.emplace(sample.name, number(sample.value));
  });
}

}  // namespace onceproxy::admin
