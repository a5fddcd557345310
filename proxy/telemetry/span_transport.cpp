#include "proxy/telemetry/span_transport.hpp"

#include <curl/curl.h>

#include <algorithm>
#include <atomic>
#include <stdexcept>

namespace onceproxy::telemetry {
namespace {

using std::chrono::milliseconds;

/// What is kept of an answer: enough for partialSuccess.
constexpr std::size_t answer_bytes_max = 4096;

void initialise_curl() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (code != CURLE_OK)
    throw std::runtime_error(std::string("libcurl: ") + curl_easy_strerror(code));
}

void check_url(const std::string& endpoint) {
  const std::unique_ptr<CURLU, void (*)(CURLU*)> url(curl_url(), curl_url_cleanup);
  const CURLUcode code = curl_url_set(url.get(), CURLUPART_URL, endpoint.c_str(), 0);
  if (code == CURLUE_OK) return;
  throw std::runtime_error("tracing.endpoint: \"" + endpoint +
                           "\" is not a URL: " + curl_url_strerror(code));
}

std::size_t keep(char* data, std::size_t, std::size_t size, void* answer) {
  auto& kept = *static_cast<std::string*>(answer);
  kept.append(data, std::min(size, answer_bytes_max - std::min(answer_bytes_max, kept.size())));
  return size;
}

/// OTLP 1.0, "failures": these say that the same request may be taken later.
bool retryable(long status) {
  return status == 429 || status == 502 || status == 503 || status == 504;
}

class CurlTransport final : public SpanTransport {
 public:
  explicit CurlTransport(const std::string& endpoint) {
    initialise_curl();
    check_url(endpoint);
    multi_.reset(curl_multi_init());
    easy_.reset(curl_easy_init());
    headers_.reset(curl_slist_append(nullptr, "Content-Type: application/json"));
    // Without a body of its own to wait for, "Expect: 100-continue" is only a second's delay.
    curl_slist_append(headers_.get(), "Expect:");
    if (!multi_ || !easy_ || !headers_) throw std::runtime_error("libcurl: out of memory");
    CURL* const easy = easy_.get();
    curl_easy_setopt(easy, CURLOPT_URL, endpoint.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "onceproxy");
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    // A name that is looked up when the program ends does not hold up the end.
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_);
  }

  SpanReply send(std::string_view body, milliseconds timeout) override {
    SpanReply reply;
    CURL* const easy = easy_.get();
    error_[0] = '\0';
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.data());
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &reply.answer);
    curl_multi_add_handle(multi_.get(), easy);
    const CURLcode code = perform(Clock::now() + timeout);
    read(code, reply);
    curl_multi_remove_handle(multi_.get(), easy);
    return reply;
  }

  void end_by(Clock::time_point deadline) override {
    deadline_.store(deadline);
    curl_multi_wakeup(multi_.get());
  }

 private:
  /// curl_easy_perform() could not be cut short from another thread.
  CURLcode perform(Clock::time_point timeout) {
    while (true) {
      int running = 0;
      curl_multi_perform(multi_.get(), &running);
      int left = 0;
      if (const CURLMsg* message = curl_multi_info_read(multi_.get(), &left))
        return message->data.result;
      const auto until = std::min(timeout, deadline_.load());
      const auto rest = std::chrono::ceil<milliseconds>(until - Clock::now());
      if (rest.count() <= 0) return CURLE_OPERATION_TIMEDOUT;
      curl_multi_poll(multi_.get(), nullptr, 0, static_cast<int>(rest.count()), nullptr);
    }
  }

  void read(CURLcode code, SpanReply& reply) {
    if (code != CURLE_OK) {
      reply.error = error_[0] != '\0' ? error_ : curl_easy_strerror(code);
      return;
    }
    long status = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status);
    if (status >= 200 && status < 300) {
      reply.result = SpanReply::Result::taken;
      return;
    }
    reply.error = "the collector answered " + std::to_string(status);
    if (!retryable(status)) {
      reply.result = SpanReply::Result::refused;
      return;
    }
    curl_off_t seconds = 0;
    curl_easy_getinfo(easy_.get(), CURLINFO_RETRY_AFTER, &seconds);
    reply.retry_after = std::chrono::seconds(seconds);
  }

  struct Cleanup {
    void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
  };
  struct EasyCleanup {
    void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
  };

  // An easy handle goes before the multi handle it may have used.
  std::unique_ptr<CURLM, Cleanup> multi_;
  std::unique_ptr<CURL, EasyCleanup> easy_;
  std::unique_ptr<curl_slist, Cleanup> headers_;
  char error_[CURL_ERROR_SIZE] = {};
  std::atomic<Clock::time_point> deadline_{Clock::time_point::max()};
};

}  // namespace

std::unique_ptr<SpanTransport> curl_transport(const std::string& endpoint) {
  return std::make_unique<CurlTransport>(endpoint);
}

}  // namespace onceproxy::telemetry
