#include "proxy/delivery/kept_listener.hpp"

#include <bit>
#include <chrono>
#include <cstdint>

#include "store/codec.hpp"

namespace onceproxy::delivery {

// version(1) policy name host port unix_path path
// count (name value from_request)* timeout attempts initial max jitter max_concurrency
// has_rate [limit per] has_tls [ca server_name certificate key] key_file
//
// Texts have their length before them (u32), times are milliseconds (u64), the jitter is the bits
// of a double (u64), port is u16, attempts and limit u32, the rest is u8 or u64.
namespace {

using std::chrono::milliseconds;
using store::Reader;
using store::Writer;

constexpr std::uint8_t version = 1;

void write_time(Writer& out, milliseconds time) {
  out.number(static_cast<std::uint64_t>(time.count()));
}

milliseconds read_time(Reader& in) {
  return milliseconds(static_cast<std::int64_t>(in.number<std::uint64_t>()));
}

void write_listener(Writer& out, const policies::Listener& listener) {
  out.long_text(listener.name);
  out.long_text(listener.address.host);
  out.number(listener.address.port);
  out.long_text(listener.address.unix_path);
  out.long_text(listener.path);
  out.number(static_cast<std::uint32_t>(listener.headers.size()));
  for (const policies::ListenerField& field : listener.headers) {
    out.long_text(field.name);
    out.long_text(field.value);
    out.number<std::uint8_t>(field.from_request);
  }
  write_time(out, listener.timeout);
  out.number(listener.attempts);
  write_time(out, listener.backoff.initial);
  write_time(out, listener.backoff.max);
  out.number(std::bit_cast<std::uint64_t>(listener.backoff.jitter));
  out.number(static_cast<std::uint64_t>(listener.concurrency_max));
  out.number<std::uint8_t>(listener.rate.has_value());
  if (listener.rate) {
    out.number(listener.rate->limit);
    write_time(out, listener.rate->per);
  }
  out.number<std::uint8_t>(listener.tls.has_value());
  if (listener.tls) {
    for (const std::string* const text : {&listener.tls->ca, &listener.tls->server_name,
                                          &listener.tls->certificate, &listener.tls->key}) {
      out.long_text(*text);
    }
  }
}

policies::Listener read_listener(Reader& in) {
  policies::Listener listener;
  listener.name = in.long_text();
  listener.address.host = in.long_text();
  listener.address.port = in.number<std::uint16_t>();
  listener.address.unix_path = in.long_text();
  listener.path = in.long_text();
  const auto fields = in.number<std::uint32_t>();
  for (std::uint32_t i = 0; i < fields && in.good(); ++i) {
    policies::ListenerField field;
    field.name = in.long_text();
    field.value = in.long_text();
    field.from_request = in.number<std::uint8_t>() != 0;
    listener.headers.push_back(std::move(field));
  }
  listener.timeout = read_time(in);
  listener.attempts = in.number<std::uint32_t>();
  listener.backoff.initial = read_time(in);
  listener.backoff.max = read_time(in);
  listener.backoff.jitter = std::bit_cast<double>(in.number<std::uint64_t>());
  listener.concurrency_max = in.number<std::uint64_t>();
  if (in.number<std::uint8_t>() != 0) {
    const auto limit = in.number<std::uint32_t>();
    listener.rate = policies::ListenerRate{limit, read_time(in)};
  }
  if (in.number<std::uint8_t>() != 0) {
    policies::ListenerTls tls;
    for (std::string* const text : {&tls.ca, &tls.server_name, &tls.certificate, &tls.key}) {
      *text = in.long_text();
    }
    listener.tls = std::move(tls);
  }
  return listener;
}

/// What the engine could not work with.
bool usable(const policies::Listener& listener) {
  return !listener.name.empty() && listener.attempts > 0 && listener.concurrency_max > 0 &&
         (!listener.rate || listener.rate->limit > 0);
}

}  // namespace

std::string encode(const KeptListener& kept) {
  Writer out(256);
  out.number(version);
  out.long_text(kept.policy);
  write_listener(out, kept.listener);
  out.long_text(kept.signing_key_file);
  return out.take();
}

std::optional<KeptListener> decode_kept_listener(std::string_view bytes) {
  Reader in(bytes);
  if (in.number<std::uint8_t>() != version) return std::nullopt;
  KeptListener kept;
  kept.policy = in.long_text();
  kept.listener = read_listener(in);
  kept.signing_key_file = in.long_text();
  if (!in.good_to_the_end() || !usable(kept.listener)) return std::nullopt;
  return kept;
}

}  // namespace onceproxy::delivery
