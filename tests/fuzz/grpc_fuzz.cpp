// gRPC's framing: messages are the same however a body's bytes come, none is larger than the limit,
// and what was framed is read again; a timeout is none or within bounds; a status's message goes
// out as visible ASCII and comes back as it was.
#include <memory>
#include <string>
#include <vector>

#include "claim.hpp"
#include "proxy/grpc/message_reader.hpp"
#include "proxy/grpc/wire.hpp"

using namespace onceproxy::grpc;

namespace {

constexpr std::size_t bytes_max = 300;
using State = MessageReader::State;

struct Read {
  std::vector<std::string> messages;
  State last = State::more;
  bool between = true;

  bool operator==(const Read&) const = default;
};

Read read(std::string_view input, std::size_t piece) {
  MessageReader reader(bytes_max);
  Read out;
  std::string message;
  for (std::size_t at = 0; at < input.size(); at += piece) {
    const std::string_view part = input.substr(at, piece);
    const std::unique_ptr<char[]> memory(new char[part.size()]);
    part.copy(memory.get(), part.size());
    std::string_view left(memory.get(), part.size());
    while (!left.empty()) {
      const std::size_t before = left.size();
      out.last = reader.take(left, message);
      claim(message.size() <= bytes_max, "no message is larger than the limit");
      claim(left.size() < before, "something is taken each time");
      if (out.last == State::more) {
        claim(left.empty(), "more is asked for when all was taken");
      } else if (out.last == State::whole) {
        out.messages.push_back(std::move(message));
        message.clear();
      } else {
        return out;
      }
    }
  }
  out.between = reader.between_messages();
  claim(out.between || out.last == State::more, "between two messages the last one was whole");
  return out;
}

std::string decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    claim(i + 2 < text.size(), "two digits follow");
    out += static_cast<char>(std::stoi(std::string(text.substr(i + 1, 2)), nullptr, 16));
    i += 2;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t piece = data[0] == 0 ? 1 : data[0];
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Read whole = read(input, input.size() + 1);
  claim(read(input, piece) == whole, "messages do not depend on the pieces");
  std::string framed;
  for (const std::string& message : whole.messages) {
    const auto prefix = prefix_of(static_cast<std::uint32_t>(message.size()));
    framed.append(prefix.data(), prefix.size()).append(message);
  }
  claim(read(framed, piece).messages == whole.messages, "what was framed is read again");

  if (const auto timeout = parse_timeout(input)) {
    claim(timeout->count() >= 0 && *timeout <= timeout_max, "a timeout is within bounds");
    claim(input.size() >= 2 && input.size() <= 9, "a timeout is short");
  }
  const std::string encoded = percent_encoded(input);
  for (const char c : encoded) claim(c >= ' ' && c <= '~', "a status's message is visible ASCII");
  const std::string again = decoded(encoded);
  claim(input.starts_with(again), "a status's message comes back");
  claim(input.size() > status_message_bytes_max || again == input, "and all of it, if it is short");
  return 0;
}
