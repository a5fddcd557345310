#include "proxy/telemetry/http2_metrics.hpp"

#include <algorithm>

#include "proxy/telemetry/family.hpp"

namespace onceproxy::telemetry {
namespace {

using prometheus::MetricType;
using Count = std::atomic<std::uint64_t>;

}  // namespace

Http2Counters& Http2Metrics::add(std::string_view listener) {
  const std::lock_guard lock(mutex_);
  auto found = std::ranges::find(listeners_, listener, &Listener::name);
  if (found == listeners_.end()) {
    listeners_.push_back({std::string(listener), {}});
    found = std::prev(listeners_.end());
  }
  return *found->loops.emplace_back(std::make_unique<Http2Counters>());
}

void Http2Metrics::append(std::vector<prometheus::MetricFamily>& families) const {
  const std::lock_guard lock(mutex_);
  Family connections("onceproxy_http2_connections", "Open HTTP/2 connections.", MetricType::Gauge);
  Family ends("onceproxy_http2_connections_ended_total",
              "HTTP/2 connections that have ended, by reason.", MetricType::Counter);
  Family streams("onceproxy_http2_streams", "Open HTTP/2 streams.", MetricType::Gauge);
  Family began("onceproxy_http2_streams_total", "HTTP/2 streams that were opened.",
               MetricType::Counter);
  Family resets("onceproxy_http2_resets_total", "HTTP/2 streams that were reset, by side.",
                MetricType::Counter);
  Family refusals("onceproxy_http2_refused_total",
                  "Requests refused before they were read, by reason.", MetricType::Counter);
  Family floods("onceproxy_http2_floods_total",
                "Connections closed because the client sent too many frames, by kind.",
                MetricType::Counter);
  Family stalled("onceproxy_http2_stalled_total",
                 "Streams closed because the client did not read the answer.", MetricType::Counter);
  Family pauses("onceproxy_http2_pauses_total",
                "Pauses in reading from a connection whose client resets too many streams.",
                MetricType::Counter);
  Family accepts("onceproxy_http2_accept_errors_total", "Failed attempts to accept a connection.",
                 MetricType::Counter);
  Family calls("onceproxy_grpc_calls_total", "gRPC calls that have ended, by status.",
               MetricType::Counter);
  Family failures("onceproxy_http2_handler_failures_total",
                  "Requests that ended because of a defect in onceproxy.", MetricType::Counter);

  for (const Listener& listener : listeners_) {
    const auto sum = [&](auto of) {
      std::uint64_t total = 0;
      for (const auto& loop : listener.loops) total += of(*loop).load(std::memory_order_relaxed);
      return total;
    };
    const auto add = [&](Family& family, std::string_view label, const auto& words, auto of) {
      for (std::size_t i = 0; i < words.size(); ++i) {
        family.add({{"listener", listener.name}, {label, words[i]}},
                   sum([&](const Http2Counters& c) -> const Count& { return (c.*of)[i]; }));
      }
    };
    const auto add_one = [&](Family& family, auto of) {
      family.add({{"listener", listener.name}},
                 sum([&](const Http2Counters& c) -> const Count& { return c.*of; }));
    };
    add_one(connections, &Http2Counters::connections_);
    add(ends, "reason", http2_ends, &Http2Counters::ended_);
    add_one(streams, &Http2Counters::streams_);
    add_one(began, &Http2Counters::streams_total_);
    add(resets, "by", http2_resets, &Http2Counters::resets_);
    add(refusals, "reason", http2_refusals, &Http2Counters::refusals_);
    add(floods, "of", http2_floods, &Http2Counters::floods_);
    add_one(stalled, &Http2Counters::stalled_);
    add_one(pauses, &Http2Counters::pauses_);
    add_one(accepts, &Http2Counters::accept_errors_);
    add(calls, "code", grpc_codes, &Http2Counters::calls_);
    add_one(failures, &Http2Counters::handler_failures_);
  }
  for (Family* family : {&connections, &ends, &streams, &began, &resets, &refusals, &floods,
                         &stalled, &pauses, &accepts, &calls, &failures}) {
    family->move_to(families);
  }
}

}  // namespace onceproxy::telemetry
