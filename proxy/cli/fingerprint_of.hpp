// The fingerprint of the operation that a request in a file stands for. Private to this folder. Not
// thread-safe.
#pragma once

#include "proxy/cli/request_file.hpp"
#include "store/fingerprint.hpp"

namespace onceproxy::cli {

/// If the request names none, the reason goes to `streams.err`, and the exit code is returned.
tl::expected<store::Fingerprint, int> fingerprint_of(const RequestArguments& arguments,
                                                     const Streams& streams);

}  // namespace onceproxy::cli
