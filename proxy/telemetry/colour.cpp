#include "proxy/telemetry/colour.hpp"

#include <unistd.h>

#include <cstdlib>

namespace onceproxy::telemetry {
namespace {

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : value;
}

}  // namespace

std::string_view colour_of(LogLevel level) {
  switch (level) {
    case LogLevel::trace:
    case LogLevel::debug:
      return colour::dim;
    case LogLevel::info:
      return colour::green;
    case LogLevel::warn:
      return colour::yellow;
    case LogLevel::error:
      return colour::red;
  }
  return colour::red;
}

std::string_view colour_of(Decision decision) {
  switch (decision) {
    case Decision::passed:
    case Decision::forwarded:
      return colour::green;
    case Decision::replayed:
    case Decision::suppressed:
    case Decision::acknowledged:
    case Decision::stale:
    case Decision::closed:
      return colour::cyan;
    case Decision::store_error:
    case Decision::upstream_error:
      return colour::red;
    case Decision::in_flight:
    case Decision::mismatch:
    case Decision::missing_key:
    case Decision::unreadable:
    case Decision::bad_key:
    case Decision::held:
    case Decision::rate_limited:
    case Decision::not_replayable:
    case Decision::busy:
    case Decision::bad_request:
      return colour::yellow;
  }
  return colour::red;
}

LogFormat format_for(LogFormat format, int descriptor) {
  if (format != LogFormat::text || isatty(descriptor) != 1) return format;
  const bool unwanted = !variable("NO_COLOR").empty() || variable("TERM") == "dumb";
  return unwanted ? LogFormat::text : LogFormat::coloured_text;
}

}  // namespace onceproxy::telemetry
