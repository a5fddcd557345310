// LeaseWatch: hears that the lease of a reservation has ended while its request was under way,
// since the store could not be reached to renew it. Whoever holds the permit can settle nothing any
// more, and another may be let through once the lease has ended for everybody, two seconds later or
// more: so the connection to the service is to be closed now. Not thread-safe: its loop's thread.
#pragma once

namespace onceproxy::store {

class LeaseWatch {
 public:
  virtual void lease_ended() = 0;

 protected:
  ~LeaseWatch() = default;
};

}  // namespace onceproxy::store
