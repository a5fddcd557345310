// Heads of answers: what is taken is written so that the client reads the same answer, framed as
// it is sent, with nothing of the upstream's connection in it. What strict reading takes, lenient
// reading takes for the same; and what only lenient reading takes is written so that strict reading
// takes it.
#include <memory>
#include <string>

#include "claim.hpp"
#include "proxy/http/grammar/head.hpp"
#include "proxy/http/head_writer.hpp"

using namespace onceproxy::http;

namespace {

void check_written(const std::string& out, std::string_view to_method, int status, Framing framing,
                   bool covered) {
  claim(find_head_end(out) == out.size(), "what is written is one head and nothing more");
  HeadLimits limits;
  limits.fields = 1000;
  ResponseHead again;
  claim(!parse_response_head(out, limits, to_method, again), "what is written is read again");
  claim(again.status == status, "the status is kept");
  claim(again.framing.kind == framing.kind && again.framing.length == framing.length,
        "the body that follows is framed as it is sent");
  claim(again.date >= 0, "an answer is dated");
  claim(!again.has_named, "no connection's own field goes on");
  int own = 0;
  for (const Known known : again.known) {
    claim(known != Known::hop_by_hop && known != Known::upgrade, "nothing hop-by-hop goes on");
    own += known == Known::ours;
  }
  claim(own == (covered ? 1 : 0), "the decision is the proxy's");
}

void check(const ResponseHead& head, std::string_view to_method) {
  ClientSide client;
  client.date = "Sun, 06 Nov 1994 08:49:37 GMT";
  client.to_head = to_method == "HEAD";
  std::string out;
  if (head.status < 200) {
    write_interim_head(head, out);
    claim(find_head_end(out) == out.size(), "what is written is one head and nothing more");
    ResponseHead again;
    claim(!parse_response_head(out, {}, to_method, again), "what is written is read again");
    return;
  }
  write_response_head(head, client, BodyFraming::as_it_came, 0, std::nullopt, out);
  check_written(out, to_method, head.status, head.framing, false);
  if (head.framing.kind == Framing::Kind::none) return;
  const DecisionFields decision{onceproxy::gate::Decision::forwarded, std::chrono::milliseconds(3)};
  out.clear();
  write_response_head(head, client, BodyFraming::length, 5, decision, out);
  check_written(out, to_method, head.status, {Framing::Kind::length, 5}, true);
  out.clear();
  write_response_head(head, client, BodyFraming::chunked, 0, decision, out);
  check_written(out, to_method, head.status, {Framing::Kind::chunked, 0}, true);
}

void check_same(const ResponseHead& strict, const ResponseHead& lenient) {
  claim(lenient.status == strict.status && lenient.framing.kind == strict.framing.kind &&
            lenient.framing.length == strict.framing.length &&
            lenient.keep_alive == strict.keep_alive && lenient.known == strict.known,
        "what strict reading takes means the same to lenient reading");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view to_method = data[0] % 2 == 0 ? "GET" : "HEAD";
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t end = find_head_end(input);
  if (end == 0) return 0;
  // Exactly as large as the head, so that a look behind it is seen.
  const std::unique_ptr<char[]> memory(new char[end]);
  input.copy(memory.get(), end);
  HeadLimits limits;
  ResponseHead strict;
  const bool refused =
      parse_response_head({memory.get(), end}, limits, to_method, strict).has_value();
  limits.lenient = true;
  ResponseHead head;
  if (parse_response_head({memory.get(), end}, limits, to_method, head)) {
    claim(head.framing.kind == Framing::Kind::none, "a refused head frames nothing");
    claim(refused, "lenient reading takes all that strict reading takes");
    return 0;
  }
  if (!refused) check_same(strict, head);
  claim(head.status >= 100 && head.status <= 999, "a status has three digits");
  check(head, to_method);
  return 0;
}
