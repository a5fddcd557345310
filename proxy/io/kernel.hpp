// What the kernel under this process can do beyond what every Linux does.
#pragma once

namespace onceproxy::io {

/// Whether recvmsg() counts an end of the stream as bytes that are left (TCP_INQ). Linux does since
/// version 5.1; gVisor does not. Tried once, with two sockets of the loopback interface; false if
/// there is none. May wait for 100 ms the first time. Thread-safe.
bool tells_ends();

}  // namespace onceproxy::io
