#include "echo_methods.hpp"

#include <charconv>
#include <coroutine>
#include <cstdio>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace onceproxy::echo {

namespace {

using grpc::Gone;
using grpc::ServerStream;
using grpc::StatusCode;
using io::Task;

std::string_view name_of(Gone why) {
  switch (why) {
    case Gone::reset:
      return "reset";
    case Gone::connection:
      return "connection";
    case Gone::deadline:
      return "deadline";
    default:
      return "protocol";
  }
}

void print_gone(std::string_view method, Gone why) {
  std::printf("{\"gone\":\"%s\",\"method\":\"%s\"}\n", std::string(name_of(why)).c_str(),
              std::string(method).c_str());
  std::fflush(stdout);
}

std::size_t number_in(std::string_view text) {
  std::size_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

Task<void> bidi(ServerStream& stream) {
  std::string message;
  while (true) {
    const auto got = co_await stream.read(message);
    if (got == ServerStream::Read::gone) {
      if (stream.gone()) print_gone("Bidi", *stream.gone());
      co_return;
    }
    if (got == ServerStream::Read::end) break;
    const bool written = co_await stream.write(message);
    if (!written) co_return;
  }
  stream.finish({});
}

Task<void> status(ServerStream& stream) {
  std::string message;
  co_await stream.read(message);
  const std::size_t colon = message.find(':');
  stream.finish({static_cast<StatusCode>(number_in(message)), message.substr(colon + 1)});
}

Task<void> large(ServerStream& stream) {
  std::string message;
  co_await stream.read(message);
  message.assign(number_in(message), 'x');
  grpc::Status ok;
  co_await stream.write_last(message, std::move(ok));
}

/// co_await told: until the stream is gone.
struct Told {
  ServerStream& stream;
  Gone why = Gone::reset;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) {
    stream.on_gone([this, waiter](Gone gone) {
      why = gone;
      waiter.resume();
    });
  }
  Gone await_resume() const noexcept { return why; }
};

Task<void> wait(ServerStream& stream) {
  co_await stream.write("");
  Told told{stream};
  const Gone why = co_await told;
  print_gone("Wait", why);
}

Task<void> fail(ServerStream& stream) {
  co_await stream.write("");
  throw std::runtime_error("a defect");
}

Task<void> silent(ServerStream&) {
  co_return;
}

Task<void> about(ServerStream& stream) {
  std::string text(stream.path());
  text += "\n" + std::string(stream.authority()) + "\n" + std::string(stream.peer_address()) + "\n";
  text += std::string(stream.metadata("x-test").value_or("none")) + "\n";
  text += std::string(stream.metadata("grpc-timeout").value_or("none")) + "\n";
  text += stream.deadline() ? "deadline" : "none";
  text += stream.peer() != nullptr ? "\n" + stream.peer()->subject : "\nnone";
  co_await stream.write(text);
  stream.finish({});
}

Task<void> metrics_of(ServerStream& stream, const std::function<std::string()>& metrics) {
  const std::string text = metrics();
  co_await stream.write(text);
  stream.finish({});
}

}  // namespace

void add_methods(grpc::Services& services, std::function<std::string()> metrics) {
  services.add("/test.Echo/Bidi", bidi);
  services.add("/test.Echo/Status", status);
  services.add("/test.Echo/Large", large);
  services.add("/test.Echo/Wait", wait);
  services.add("/test.Echo/Throw", fail);
  services.add("/test.Echo/Silent", silent);
  services.add("/test.Echo/About", about);
  services.add("/test.Echo/Metrics", [metrics = std::move(metrics)](ServerStream& stream) {
    return metrics_of(stream, metrics);
  });
}

Task<void> EchoHandler::serve(http2::Exchange& exchange) {
  if (!exchange.request().path.starts_with("/http")) {
    co_await calls_.serve(exchange);
    co_return;
  }
  exchange.respond(200, {{"content-type", "application/octet-stream"}});
  while (true) {
    const auto got = co_await exchange.read();
    if (got == http2::Exchange::Read::gone) co_return;
    if (got == http2::Exchange::Read::end) break;
    const std::string_view bytes = exchange.body();
    const bool written = co_await exchange.write(bytes);
    if (!written) co_return;
    exchange.consume(bytes.size());
  }
  exchange.end(exchange.trailers());
}

}  // namespace onceproxy::echo
