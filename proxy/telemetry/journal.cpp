#include "proxy/telemetry/journal.hpp"

#include <sys/stat.h>

#include <cstdlib>
#include <string>

namespace onceproxy::telemetry {

bool goes_to_journal(int descriptor) {
  const char* const stream = std::getenv("JOURNAL_STREAM");
  struct stat status {};
  if (stream == nullptr || ::fstat(descriptor, &status) != 0) return false;
  return stream == std::to_string(status.st_dev) + ":" + std::to_string(status.st_ino);
}

std::string_view journal_priority(LogLevel level) {
  switch (level) {
    case LogLevel::trace:
    case LogLevel::debug:
      return "<7>";
    case LogLevel::info:
      return "<6>";
    case LogLevel::warn:
      return "<4>";
    case LogLevel::error:
      break;
  }
  return "<3>";
}

}  // namespace onceproxy::telemetry
