// One line of a JSON-lines log. The format is told in README.md. Pure.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "proxy/cli/backtest/logged_request.hpp"

namespace onceproxy::backtest {

/// The error says in words why the line is no request.
tl::expected<LoggedRequest, std::string> read_json_line(std::string_view line);

}  // namespace onceproxy::backtest
