// Colours of text lines on a terminal. Without its colours, a line is the plain line, byte for
// byte. Thread-safety: functions are pure, except for format_for(), which reads the environment.
#pragma once

#include <string>
#include <string_view>

#include "proxy/gate/decision.hpp"
#include "proxy/telemetry/log.hpp"

namespace onceproxy::telemetry {

/// The codes for a terminal (ECMA-48 SGR). Only the sixteen standard colours are used, so that the
/// user's theme keeps them readable.
namespace colour {
inline constexpr std::string_view dim = "\x1b[2m";
inline constexpr std::string_view red = "\x1b[31m";
inline constexpr std::string_view green = "\x1b[32m";
inline constexpr std::string_view yellow = "\x1b[33m";
inline constexpr std::string_view cyan = "\x1b[36m";
inline constexpr std::string_view end = "\x1b[0m";
}  // namespace colour

std::string_view colour_of(LogLevel level);
/// Green: forwarded. Cyan: a duplicate was not forwarded. Yellow: refused. Red: failed.
std::string_view colour_of(gate::Decision decision);

/// `format` for this descriptor: text becomes coloured text on a terminal, unless NO_COLOR is set
/// and not empty (no-color.org) or TERM is "dumb".
LogFormat format_for(LogFormat format, int descriptor);

}  // namespace onceproxy::telemetry
