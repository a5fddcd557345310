#include "config/text.hpp"

#include <algorithm>

#include "config/postgres_url.hpp"
#include "store/hex.hpp"

namespace onceproxy::config {

std::size_t utf8_length(std::string_view text) {
  if (text.empty()) return 0;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xc2 && first <= 0xdf   ? 2
                             : first >= 0xe0 && first <= 0xef ? 3
                             : first >= 0xf0 && first <= 0xf4 ? 4
                                                              : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool surrogate = first == 0xed && byte(1) >= 0xa0;
  const bool too_large = first == 0xf4 && byte(1) >= 0x90;
  return overlong || surrogate || too_large ? 0 : length;
}

std::size_t column_of(std::string_view line, std::size_t offset) {
  std::size_t column = 1;
  for (std::size_t i = 0; i < offset && i < line.size(); ++column) {
    i += std::max<std::size_t>(1, utf8_length(line.substr(i)));
  }
  return column;
}

std::string quote(std::string_view text) {
  const std::string shown = mask_passwords(text);
  const std::string_view value = shown;
  static constexpr std::size_t bytes_max = 60;
  std::string out = "\"";
  for (std::size_t i = 0; i < value.size();) {
    if (i >= bytes_max) {
      out += "…";
      break;
    }
    const auto c = static_cast<unsigned char>(value[i]);
    const std::size_t length = utf8_length(value.substr(i));
    if (c < 0x20 || c == 0x7f || length == 0) {
      out += c == '\n' ? "\\n" : c == '\r' ? "\\r" : c == '\t' ? "\\t" : "\\x";
      if (out.back() == 'x') store::append_hex(out, value.substr(i, 1));
      ++i;
    } else {
      out += value.substr(i, length);
      i += length;
    }
  }
  return out + '"';
}

std::string one_of(const std::vector<std::string>& words) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? " or " : ", ";
    out += words[i];
  }
  return out;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Optimal string alignment, three rows at a time.
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t changed = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, changed});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

std::string nearest(std::string_view word, const std::vector<std::string>& candidates) {
  // No key is longer than this; a longer word would only cost time.
  static constexpr std::size_t word_bytes_max = 64;
  if (word.empty() || word.size() > word_bytes_max) return {};
  // Case and the two ways to join words are never what tells two keys apart.
  const auto plain = [](std::string_view text) {
    std::string out(text);
    for (char& c : out) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
      if (c == '-') c = '_';
    }
    return out;
  };
  const std::string wanted = plain(word);
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(1, wanted.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(wanted, plain(candidate));
    // A replaced letter makes any two-letter word out of any other: something must be left.
    if (distance < best_distance && distance < candidate.size() - 1) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace onceproxy::config
