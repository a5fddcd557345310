// The write-ahead log's end: whatever the bytes are, it lies inside, damage lies behind it, and
// zeros that follow a log change nothing about it.
#include <string>

#include "claim.hpp"
#include "store/rocksdb/log_end.hpp"

using namespace onceproxy::store;

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string log(reinterpret_cast<const char*>(data), size);
  const LogEnd end = end_of_log(log);
  claim(end.at <= size, "a log ends inside its file");
  if (end.damage) {
    claim(*end.damage >= end.at && *end.damage < size, "damage lies behind the last whole record");
    return 0;
  }
  // What is read is a log again, also with prepared space behind it.
  const std::string whole = log.substr(0, end.at);
  for (const std::size_t zeros : {0, 6, 600, 40'000}) {
    const LogEnd read = end_of_log(whole + std::string(zeros, '\0'));
    claim(read.at == end.at && !read.damage, "a log ends where it ended");
  }
  return 0;
}
