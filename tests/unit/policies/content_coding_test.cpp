#include "policies/content_coding.hpp"

#include <zlib.h>

#include <catch2/catch.hpp>

#include "request.hpp"

using namespace onceproxy::policies;
using test::Request;

namespace {

std::string deflated(std::string_view in, int format) {
  z_stream stream{};
  REQUIRE(deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, format, 8, Z_DEFAULT_STRATEGY) ==
          Z_OK);
  std::string out(deflateBound(&stream, in.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
  stream.avail_in = static_cast<uInt>(in.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string gzip(std::string_view in) {
  return deflated(in, MAX_WBITS + 16);
}
std::string zlib(std::string_view in) {
  return deflated(in, MAX_WBITS);
}
std::string raw(std::string_view in) {
  return deflated(in, -MAX_WBITS);
}

std::optional<std::string> decoded(std::vector<std::string> codings, std::string_view body,
                                   std::size_t bytes_max = 1 << 20) {
  Request request;
  for (const std::string& coding : codings)
    request.headers.emplace_back("Content-Encoding", coding);
  return decode_content(request.view(), body, bytes_max);
}

}  // namespace

TEST_CASE("gzip and deflate are undone, also in a row") {
  const std::string text = R"({"a":1})";
  CHECK(decoded({"gzip"}, gzip(text)) == text);
  CHECK(decoded({"X-GZip"}, gzip(text)) == text);
  CHECK(decoded({"deflate"}, zlib(text)) == text);
  CHECK(decoded({"deflate"}, raw(text)) == text);
  CHECK(decoded({"identity"}, text) == text);
  CHECK(decoded({}, text) == text);
  CHECK(decoded({" gzip , identity,"}, gzip(text)) == text);
  CHECK(decoded({"deflate, gzip"}, gzip(zlib(text))) == text);
  CHECK(decoded({"deflate", "gzip"}, gzip(zlib(text))) == text);
  CHECK(decoded({"gzip"}, gzip("one") + gzip("two")) == "onetwo");
  CHECK(decoded({"gzip"}, gzip("")) == "");
  CHECK(decoded({"gzip"}, "") == "");
  const std::string large(300'000, 'x');
  CHECK(decoded({"gzip"}, gzip(large)) == large);
}

TEST_CASE("unknown codings and broken data decode to nothing") {
  const std::string text = R"({"a":1,"b":"some text to compress"})";
  CHECK_FALSE(decoded({"br"}, text));
  CHECK_FALSE(decoded({"zstd"}, text));
  CHECK_FALSE(decoded({"gzip, br"}, gzip(text)));
  CHECK_FALSE(decoded({"br, gzip"}, gzip(text)));
  CHECK_FALSE(decoded({"gzip,gzip,gzip"}, gzip(gzip(gzip(text)))));
  CHECK_FALSE(decoded({"gzip"}, text));
  CHECK_FALSE(decoded({"gzip"}, zlib(text)));
  CHECK_FALSE(decoded({"deflate"}, gzip(text)));
  CHECK_FALSE(decoded({"deflate"}, zlib(text) + "x"));
  CHECK_FALSE(decoded({"gzip"}, gzip(text) + "x"));
  CHECK_FALSE(decoded({"gzip"}, gzip(text) + std::string(8, '\0')));
  const std::string whole = gzip(text);
  for (std::size_t size = 1; size < whole.size(); ++size) {
    INFO(size);
    CHECK_FALSE(decoded({"gzip"}, whole.substr(0, size)));
  }
  for (std::size_t i = whole.size() - 8; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    CHECK_FALSE(decoded({"gzip"}, damaged));
  }
}

TEST_CASE("data that decodes to more than the limit gives nothing") {
  const std::string text(100'000, 'x');
  CHECK(decoded({"gzip"}, gzip(text), text.size()) == text);
  CHECK_FALSE(decoded({"gzip"}, gzip(text), text.size() - 1));
  CHECK_FALSE(decoded({"gzip"}, gzip("x"), 0));
  CHECK(decoded({"gzip"}, gzip(""), 0) == "");
  CHECK(decoded({"gzip"}, gzip(text), static_cast<std::size_t>(-1)) == text);
  CHECK_FALSE(decoded({"gzip"}, gzip(text) + gzip(text), text.size() + 1));
  CHECK_FALSE(decoded({"gzip, gzip"}, gzip(gzip(text)), 1'000));
  CHECK_FALSE(decoded({"deflate"}, raw(text), text.size() - 1));
}

TEST_CASE("only a coding other than identity makes a body encoded") {
  for (const auto& [value, encoded] :
       {std::pair("gzip", true), {"br", true}, {"identity", false}, {"", false}, {" , ", false}}) {
    Request request;
    request.headers = {{"content-encoding", value}};
    INFO(value);
    CHECK(is_encoded(request.view()) == encoded);
  }
  CHECK_FALSE(is_encoded(Request().view()));
}
