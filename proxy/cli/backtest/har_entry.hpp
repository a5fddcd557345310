// One entry of a HAR file (HTTP Archive 1.2, `log.entries[]`). Pure.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "proxy/cli/backtest/logged_request.hpp"

namespace onceproxy::backtest {

/// The error says why the entry is not a request.
tl::expected<LoggedRequest, std::string> read_har_entry(std::string_view entry);

}  // namespace onceproxy::backtest
