#include "proxy/telemetry/span_exporter.hpp"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <utility>

#include "proxy/telemetry/log.hpp"
#include "proxy/telemetry/span_json.hpp"

namespace onceproxy::telemetry {

using std::chrono::milliseconds;

SpanExporter::SpanExporter(const TracerOptions& options, std::unique_ptr<SpanTransport> transport,
                           SpanQueue& queue, TracerCounts counts)
    : options_(options),
      head_(spans_begin(options.service_name, options.version)),
      transport_(std::move(transport)),
      queue_(queue),
      counts_(std::move(counts)) {
  // Signals are for the main thread; a SIGPIPE that is not ignored stays pending on this one.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_setname_np(thread_.native_handle(), "span-exporter");
}

SpanExporter::~SpanExporter() {
  transport_->end_by(Clock::now() + options_.stop_time);
  queue_.close();
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void SpanExporter::run() {
  SpanBatch batch;
  while (queue_.take(batch, options_.batch_bytes, options_.batch_delay)) {
    deliver(batch);
    queue_.taken_care_of(batch);
  }
}

void SpanExporter::deliver(const SpanBatch& batch) {
  std::string body;
  body.reserve(head_.size() + batch.json.size() + spans_end.size());
  body.append(head_).append(batch.json);
  body.pop_back();  // the last comma
  body.append(spans_end);
  const auto began = Clock::now();
  for (int attempt = 1;; ++attempt) {
    const SpanReply reply = transport_->send(body, options_.send_timeout);
    if (reply.result == SpanReply::Result::taken) {
      delivered(batch, reply);
      return;
    }
    failed(reply);
    const auto wait = pause(reply, attempt, began);
    if (!wait) {
      lost(batch, reply.error);
      return;
    }
    rest(*wait);
  }
}

std::optional<milliseconds> SpanExporter::pause(const SpanReply& reply, int attempt,
                                                Clock::time_point began) {
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) return std::nullopt;
  }
  if (reply.result == SpanReply::Result::refused) return std::nullopt;
  if (Clock::now() - began >= options_.retry_time) return std::nullopt;
  const milliseconds backoff =
      std::min(options_.backoff_max, options_.backoff_min * (1L << std::min(attempt - 1, 16)));
  return std::max(backoff, std::min(milliseconds(reply.retry_after), options_.backoff_max));
}

void SpanExporter::rest(milliseconds time) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, time, [this] { return stopping_; });
}

void SpanExporter::delivered(const SpanBatch& batch, const SpanReply& reply) {
  const std::uint64_t rejected = std::min(rejected_spans(reply.answer), batch.spans);
  if (batch.spans > rejected) counts_.exported(batch.spans - rejected);
  if (rejected > 0) {
    counts_.dropped(rejected);
    log(LogLevel::warn, "spans rejected",
        {{"spans", static_cast<std::int64_t>(rejected)}, {"endpoint", options_.endpoint}});
  }
  if (!away_) return;
  away_ = false;
  log(LogLevel::info, "spans are taken again",
      {{"endpoint", options_.endpoint},
       {"lost_in_batches", static_cast<std::int64_t>(std::exchange(lost_, 0))}});
}

/// One line for an outage, not one for each attempt.
void SpanExporter::failed(const SpanReply& reply) {
  if (std::exchange(away_, true)) return;
  log(LogLevel::warn, "spans are not taken",
      {{"endpoint", options_.endpoint}, {"error", reply.error}});
}

void SpanExporter::lost(const SpanBatch& batch, std::string_view why) {
  counts_.dropped(batch.spans);
  lost_ += batch.spans;
  log(LogLevel::debug, "spans dropped",
      {{"spans", static_cast<std::int64_t>(batch.spans)}, {"error", why}});
}

}  // namespace onceproxy::telemetry
