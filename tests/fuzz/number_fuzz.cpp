// Numbers: the canonical form has the same value, and rounding is settled after one step and never
// off by more than half a unit in its last place (checked against long double, for small ones).
#include <cmath>
#include <cstdlib>
#include <string>

#include "claim.hpp"
#include "policies/number.hpp"

using namespace onceproxy::policies;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0) return 0;
  const int places = data[0] % 19;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  auto number = parse_decimal(text);
  claim(number.has_value() == is_decimal(text), "both readers agree");
  if (!number) return 0;

  std::string canonical;
  append_canonical_number(text, canonical);
  std::string from_value;
  append_decimal(*number, from_value);
  claim(canonical == from_value, "the quick way and the long way agree");
  if (is_decimal(canonical)) claim(parse_decimal(canonical) == number, "the value is kept");

  Decimal rounded = *number;
  round_decimal(rounded, places);
  Decimal twice = rounded;
  round_decimal(twice, places);
  claim(rounded == twice, "rounding is settled after one step");
  claim(rounded.digits.empty() || -rounded.exponent <= places, "no more places than asked for");
  if (text.size() < 12 && places < 6) {
    std::string written;
    append_decimal(rounded, written);
    const long double before = std::strtold(text.c_str(), nullptr);
    const long double after = std::strtold(written.c_str(), nullptr);
    if (std::fabs(before) < 1e9L) {
      const long double half = 0.5L * std::pow(10.0L, -places);
      claim(std::fabs(after - before) <= half * 1.0001L, "not off by more than half a unit");
    }
  }
  return 0;
}
