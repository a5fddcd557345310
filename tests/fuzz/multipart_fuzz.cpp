// Forms with parts: the first line of the input is the Content-Type, the rest the body. What is
// read is written again behind another boundary, and must then be compared as the same; no part
// lies outside the body; and a body that is cut off is never read.
#include <algorithm>
#include <string>
#include <vector>

#include "claim.hpp"
#include "policies/multipart.hpp"

using namespace onceproxy::policies;

namespace {

std::string compared(const std::vector<Part>& parts) {
  std::string out;
  append_parts(parts, out);
  return out;
}

std::string quoted(const std::string& text) {
  std::string out("\"");
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

std::string written(const std::vector<Part>& parts, const std::string& boundary) {
  std::string out;
  for (const Part& part : parts) {
    out.append("--").append(boundary).append("\r\nContent-Disposition: form-data; name=");
    out += quoted(part.name);
    if (part.filename) out += "; filename=" + quoted(*part.filename);
    if (part.extended_filename) out += "; filename*=" + quoted(*part.extended_filename);
    if (part.content_type) out.append("\r\nContent-Type: ").append(*part.content_type);
    if (part.transfer_encoding) {
      out.append("\r\nContent-Transfer-Encoding: ").append(*part.transfer_encoding);
    }
    out.append("\r\n\r\n").append(part.content).append("\r\n");
  }
  return out + "--" + boundary + "--";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  const std::size_t line = std::min(input.find('\n'), input.size());
  const std::string type = input.substr(0, line);
  const std::string body = input.substr(std::min(line + 1, input.size()));
  const auto parts = read_multipart(body, type);
  if (!parts) {
    claim(parts.error().at <= body.size(), "a fault lies in the body");
    return 0;
  }
  for (const Part& part : *parts) {
    const bool inside = part.content.data() >= body.data() &&
                        part.content.data() + part.content.size() <= body.data() + body.size();
    claim(inside, "a part lies in the body");
  }
  const std::string boundary = "another-boundary";
  if (body.find(boundary) != std::string::npos) return 0;
  const std::string again = written(*parts, boundary);
  const auto reread = read_multipart(again, "multipart/form-data; boundary=" + boundary);
  claim(reread.has_value(), "what was read can be read behind another boundary");
  claim(compared(*reread) == compared(*parts), "the boundary does not count");
  claim(!read_multipart(again.substr(0, again.size() - 1),
                        "multipart/form-data; boundary=" + boundary)
             .has_value(),
        "a form that is cut off is not read");
  return 0;
}
