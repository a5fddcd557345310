// The journal of systemd, as it is told of a line's priority: by a number in angle brackets before
// the line (sd-daemon(3)), so that `journalctl -p warning` finds warnings. Thread-safe.
#pragma once

#include <string_view>

#include "proxy/telemetry/log.hpp"

namespace onceproxy::telemetry {

/// Whether what is written to a descriptor goes straight to the journal: it is the stream that
/// JOURNAL_STREAM names by device and inode (systemd.exec(5)).
bool goes_to_journal(int descriptor);

/// "<3>" to "<7>".
std::string_view journal_priority(LogLevel level);

}  // namespace onceproxy::telemetry
