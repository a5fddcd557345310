// Handshakes: the TLS handshakes of one worker's clients that are under way. Of limits.connections
// at most a quarter may be handshakes. When one more begins, the oldest is ended: a client that
// means to be served needs milliseconds, and one that only keeps a place has had its time.
// Not thread-safe: its worker's loop.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstddef>
#include <memory>

#include "proxy/http/setup.hpp"
#include "proxy/io/stream.hpp"

namespace onceproxy::http {

class Handshakes {
 public:
  /// `setup` is looked at each time, and may be another one then. `workers` share the limit.
  Handshakes(const std::shared_ptr<const Setup>& setup, std::size_t workers)
      : setup_(setup), workers_(workers) {}

  /// One handshake, as long as it is under way.
  class Place : public boost::intrusive::list_base_hook<> {
   public:
    /// Both must outlive the place.
    Place(Handshakes& all, io::Stream& stream);
    ~Place();
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    /// It was ended in favour of one that has just begun.
    bool lost() const { return lost_; }

   private:
    friend class Handshakes;
    Handshakes& all_;
    io::Stream& stream_;
    bool lost_ = false;
  };

 private:
  std::size_t places_max() const;

  const std::shared_ptr<const Setup>& setup_;
  const std::size_t workers_;
  /// The oldest first.
  boost::intrusive::list<Place> places_;
};

}  // namespace onceproxy::http
