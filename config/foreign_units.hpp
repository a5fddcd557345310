// Recognizes durations and sizes in the notation of other tools (`10MB`, `512k`, `hour`, `30 sec`,
// `1h30m`), and suggests the correct spelling for a message. They are not accepted. Pure;
// thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace onceproxy::config {

std::optional<std::chrono::milliseconds> duration_meant(std::string_view text);
std::optional<std::uint64_t> size_meant(std::string_view text);

}  // namespace onceproxy::config
