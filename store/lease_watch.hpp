// LeaseWatch: is notified if the lease of a reservation has ended while its request was under way,
// because the store could not be reached to renew it. The holder of the permit can no longer settle
// it. Another request may be admitted when the lease has ended for everybody, at least two seconds
// later, so the connection to the service must be closed now. Not thread-safe: used on its loop's
// thread.
#pragma once

namespace onceproxy::store {

class LeaseWatch {
 public:
  virtual void lease_ended() = 0;

 protected:
  ~LeaseWatch() = default;
};

}  // namespace onceproxy::store
