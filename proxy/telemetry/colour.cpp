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

std::string_view colour_of(gate::Decision decision) {
  switch (decision) {
    case gate::Decision::passed:
    case gate::Decision::forwarded:
    case gate::Decision::accepted:
    case gate::Decision::preflight:
      return colour::green;
    case gate::Decision::replayed:
    case gate::Decision::suppressed:
    case gate::Decision::acknowledged:
    case gate::Decision::stale:
    case gate::Decision::closed:
      return colour::cyan;
    case gate::Decision::store_error:
    case gate::Decision::upstream_error:
      return colour::red;
    case gate::Decision::in_flight:
    case gate::Decision::mismatch:
    case gate::Decision::missing_key:
    case gate::Decision::unreadable:
    case gate::Decision::bad_key:
    case gate::Decision::held:
    case gate::Decision::rate_limited:
    case gate::Decision::not_replayable:
    case gate::Decision::busy:
    case gate::Decision::bad_request:
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
