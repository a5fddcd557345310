#include "store/postgres/standby_names.hpp"

#include <charconv>

namespace onceproxy::store {

/// The grammar is that of PostgreSQL's syncrep_gram.y: a list, or [FIRST | ANY] number (list).
StandbyNames standby_names(std::string_view setting) {
  StandbyNames out;
  out.waited = 1;
  std::string_view list = setting;
  // A name that contains a parenthesis is quoted, and then no number precedes it.
  const auto open = setting.find('(');
  const auto digit = setting.find_first_of("0123456789");
  const auto quote = setting.find('"');
  if (open != std::string_view::npos && digit < open && open < quote) {
    std::from_chars(setting.data() + digit, setting.data() + open, out.waited);
    list = setting.substr(open + 1);
  }
  bool quoted = false;
  bool name = false;
  for (const char each : list) {
    if (each == '"') quoted = !quoted;
    if (!quoted && each == '*') out.named = StandbyNames::any;
    const bool separates = !quoted && (each == ',' || each == ')');
    if (separates && name && out.named != StandbyNames::any) ++out.named;
    name = !separates && (name || each != ' ');
  }
  if (name && out.named != StandbyNames::any) ++out.named;
  if (out.named == 0) out.waited = 0;
  return out;
}

std::string promotion_advice(std::string_view setting) {
  const StandbyNames names = standby_names(setting);
  if (names.waited >= names.named) return "";
  return "a commit waits for " + std::to_string(names.waited) +
         " of the standbys in synchronous_standby_names (" + std::string(setting) +
         "), so another one of them may lack it; after a loss of the primary promote only the one "
         "that is furthest ahead (OPERATING.md)";
}

}  // namespace onceproxy::store
