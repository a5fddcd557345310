// Handshakes: the TLS handshakes under way of one worker's clients. At most a quarter of
// limits.connections may be in a handshake. When another one begins, the oldest is ended: a regular
// client needs only milliseconds. Not thread-safe: used on its worker's loop.
#pragma once

#include <boost/intrusive/list.hpp>
#include <cstddef>
#include <memory>

#include "proxy/http/setup.hpp"
#include "proxy/io/stream.hpp"

namespace onceproxy::http {

class Handshakes {
 public:
  /// `setup` is read each time and may change. `workers` share the limit.
  Handshakes(const std::shared_ptr<const Setup>& setup, std::size_t workers)
      : setup_(setup), workers_(workers) {}

  /// One handshake while it is under way.
  class Place : public boost::intrusive::list_base_hook<> {
   public:
    /// Both must outlive the object.
    Place(Handshakes& all, io::Stream& stream);
    ~Place();
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

    /// It was ended because another handshake has begun.
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
