#include "config/reading.hpp"

#include <algorithm>

#include "config/postgres_url.hpp"
#include "config/text.hpp"
#include "store/hex.hpp"

namespace onceproxy::config {

Reading::Reading(std::string_view text, std::string_view file, std::vector<KeyNames> key_names)
    : file_(file), key_names_(std::move(key_names)) {
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines_.push_back(line);
    begin = end + 1;
  }
}

bool Reading::is_clean(std::string_view text) {
  std::size_t line = 1;
  std::size_t line_begin = 0;
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    const std::size_t length = utf8_length(text.substr(i));
    const bool control = (c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f;
    const bool lone_return = c == '\r' && text.substr(i + 1, 1) != "\n";
    if (length == 0 || control || lone_return) {
      const std::string byte = store::hex(text.substr(i, 1));
      problem(
          {line, i - line_begin}, "",
          length == 0 ? "the file is not UTF-8: byte 0x" + byte : "control character 0x" + byte);
      return false;
    }
    i += length;
    if (c == '\n') {
      ++line;
      line_begin = i;
    }
  }
  return true;
}

void Reading::problem(Place place, std::string path, std::string message) {
  // An excerpt of a line that no terminal shows would only bury the message.
  static constexpr std::size_t source_bytes_max = 1'000;
  Problem problem;
  problem.file = file_;
  problem.path = std::move(path);
  problem.message = std::move(message);
  if (place.line > 0) {
    const std::string_view source = line(place.line);
    problem.line = place.line;
    problem.column = column_of(source, place.offset);
    if (source.size() <= source_bytes_max) problem.source = mask_passwords(source);
  }
  problems_.push_back(std::move(problem));
}

bool Reading::has_problems_in(std::string_view path) const {
  return std::any_of(problems_.begin(), problems_.end(), [&](const Problem& problem) {
    if (!std::string_view(problem.path).starts_with(path)) return false;
    const std::string_view rest = std::string_view(problem.path).substr(path.size());
    return rest.empty() || rest.front() == '.' || rest.front() == '[';
  });
}

std::string_view Reading::line(std::size_t number) const {
  return number >= 1 && number <= lines_.size() ? lines_[number - 1] : std::string_view();
}

std::string Reading::place_text(Place place) const {
  return std::to_string(place.line) + ":" +
         std::to_string(column_of(line(place.line), place.offset));
}

std::vector<Problem> Reading::take_problems() {
  const auto place = [](const Problem& problem) { return std::pair(problem.line, problem.column); };
  std::stable_sort(problems_.begin(), problems_.end(),
                   [&](const Problem& a, const Problem& b) { return place(a) < place(b); });
  return std::move(problems_);
}

}  // namespace onceproxy::config
