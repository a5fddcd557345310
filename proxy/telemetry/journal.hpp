// The priority prefix of lines for systemd's journal: a number in angle brackets (sd-daemon(3)), so
// that `journalctl -p warning` shows warnings. Thread-safe.
#pragma once

#include <string_view>

#include "proxy/telemetry/log.hpp"

namespace onceproxy::telemetry {

/// Whether a descriptor is connected directly to the journal: it is the stream that JOURNAL_STREAM
/// identifies by device and inode (systemd.exec(5)).
bool goes_to_journal(int descriptor);

/// "<3>" to "<7>".
std::string_view journal_priority(LogLevel level);

}  // namespace onceproxy::telemetry
