#include "proxy/admin/resolved_answer.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

#include "policies/request_view.hpp"

namespace onceproxy::admin {
namespace {

using store::StoredAnswer;

constexpr int status_min = 200;
constexpr int status_max = 599;

/// IMF-fixdate (RFC 9110 5.6.7). The program keeps the "C" locale, whose names it takes.
std::string date_now() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&now, &utc);
  std::array<char, 64> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &utc)};
}

std::optional<std::string> read_status(const std::string& text, StoredAnswer& answer) {
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, answer.status);
  if (error != std::errc() || rest != end || answer.status < status_min ||
      answer.status > status_max) {
    return "status: expected a number from 200 to 599";
  }
  if (answer.status == 304) {
    return "status: 304 answers only conditional requests; use 200 or 204";
  }
  return std::nullopt;
}

/// One field, "name: value".
std::optional<std::string> read_header(std::string_view text, const WrongField& wrong_field,
                                       StoredAnswer& answer, bool& dated) {
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return "header: expected \"name: value\"";
  const std::string_view name = text.substr(0, colon);
  std::string_view value = text.substr(colon + 1);
  constexpr std::string_view space = " \t";
  value.remove_prefix(std::min(value.find_first_not_of(space), value.size()));
  value = value.substr(0, value.find_last_not_of(space) + 1);
  if (const auto wrong = wrong_field(name, value)) {
    return "header: " + std::string(name) + " " + *wrong;
  }
  dated = dated || policies::equals_ignoring_case(name, "date");
  answer.head.append(name).append(": ").append(value).append("\r\n");
  return std::nullopt;
}

/// RFC 9110 15.3.5 and 15.3.6.
bool has_no_content(int status) {
  return status == 204 || status == 205;
}

}  // namespace

tl::expected<std::optional<StoredAnswer>, std::string> read_resolved_answer(
    const Request& request, const WrongField& wrong_field) {
  StoredAnswer answer;
  bool dated = false;
  for (const auto& [name, value] : request.query) {
    std::optional<std::string> wrong;
    if (name == "status") {
      wrong = request.query.count(name) > 1 ? "status: given twice" : read_status(value, answer);
    } else if (name == "header") {
      wrong = read_header(value, wrong_field, answer, dated);
    } else {
      wrong = name + ": unknown; status and header are known";
    }
    if (wrong) return tl::unexpected(*std::move(wrong));
  }
  const bool given = !request.query.empty() || !request.body.empty();
  if (!given) return std::nullopt;
  if (answer.status == 0) {
    return tl::unexpected(std::string("status: an answer needs a status"));
  }
  if (has_no_content(answer.status) && !request.body.empty()) {
    return tl::unexpected("an answer with status " + std::to_string(answer.status) +
                          " has no body; leave it out");
  }
  if (!dated) answer.head.append("Date: ").append(date_now()).append("\r\n");
  answer.body = request.body;
  return answer;
}

}  // namespace onceproxy::admin
