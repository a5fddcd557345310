#include "proxy/http/handshakes.hpp"

#include <algorithm>

namespace onceproxy::http {

namespace {

constexpr std::size_t share = 4;
/// Each worker may have a few, however small its share.
constexpr std::size_t places_min = 16;

}  // namespace

std::size_t Handshakes::places_max() const {
  return std::max(places_min, setup_->options.limits.connections / share / workers_);
}

Handshakes::Place::Place(Handshakes& all, io::Stream& stream) : all_(all), stream_(stream) {
  if (all_.places_.size() >= all_.places_max()) {
    Place& oldest = all_.places_.front();
    // It ends a little later, when the next one may have come.
    all_.places_.pop_front();
    oldest.lost_ = true;
    oldest.stream_.cancel();
  }
  all_.places_.push_back(*this);
}

Handshakes::Place::~Place() {
  if (is_linked()) all_.places_.erase(all_.places_.iterator_to(*this));
}

}  // namespace onceproxy::http
