// LastingNotes: notes of a store that can tell when they are on the disk, for what must outlive the
// process for certain. Whoever has a store's notes finds out by a cast. Thread-safe.
#pragma once

#include <chrono>

#include "store/notes.hpp"

namespace onceproxy::store {

class LastingNotes : public Notes {
 public:
  /// Waits until what was handed in so far is kept, about a second; false: not within that time.
  virtual bool flush(std::chrono::milliseconds patience) = 0;

 protected:
  ~LastingNotes() = default;
};

}  // namespace onceproxy::store
