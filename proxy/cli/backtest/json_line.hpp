// One line of a JSON-lines log. The format is described in README.md. Pure.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "proxy/cli/backtest/logged_request.hpp"

namespace onceproxy::backtest {

/// The error says why the line is not a request.
tl::expected<LoggedRequest, std::string> read_json_line(std::string_view line);

}  // namespace onceproxy::backtest
