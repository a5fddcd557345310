#include "policies/content_coding.hpp"

#include <zlib.h>

#include <algorithm>
#include <limits>

#include "policies/ascii.hpp"

namespace onceproxy::policies {
namespace {

/// More in a row do not occur in practice, and each may expand the data.
constexpr std::size_t codings_max = 2;

enum class Coding { gzip, deflate, unknown };

Coding coding(std::string_view name) {
  if (equals_ignoring_case(name, "gzip") || equals_ignoring_case(name, "x-gzip")) {
    return Coding::gzip;
  }
  return equals_ignoring_case(name, "deflate") ? Coding::deflate : Coding::unknown;
}

// zlib's names for what it should expect.
constexpr int zlib_format = MAX_WBITS;
constexpr int gzip_format = MAX_WBITS + 16;
constexpr int raw_format = -MAX_WBITS;

class Inflater {
 public:
  Inflater(std::string_view in, int format) : good_(inflateInit2(&stream_, format) == Z_OK) {
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = static_cast<uInt>(in.size());
  }
  ~Inflater() {
    if (good_) inflateEnd(&stream_);
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;

  /// Appends one compressed stream's data; false when it is broken, cut off or too large.
  bool read_stream(std::string& out, std::size_t bytes_max) {
    if (!good_) return false;
    for (;;) {
      const std::size_t before = out.size();
      // One byte beyond the bound tells too much from just enough.
      const std::size_t room = std::min(bytes_max - before, chunk_bytes - 1) + 1;
      out.resize(before + room);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + before);
      stream_.avail_out = static_cast<uInt>(room);
      const int result = inflate(&stream_, Z_NO_FLUSH);
      out.resize(before + room - stream_.avail_out);
      if (out.size() > bytes_max) return false;
      if (result == Z_STREAM_END) return true;
      if (result != Z_OK || (stream_.avail_in == 0 && stream_.avail_out != 0)) return false;
    }
  }

  bool at_end() const { return stream_.avail_in == 0; }

  /// Makes ready for a further stream behind the one just read.
  bool restart() { return inflateReset(&stream_) == Z_OK; }

 private:
  static constexpr std::size_t chunk_bytes = std::size_t{16} * 1024;

  z_stream stream_{};
  bool good_;
};

std::optional<std::string> inflate_all(std::string_view in, int format, std::size_t bytes_max) {
  if (in.size() > std::numeric_limits<uInt>::max()) return std::nullopt;
  Inflater inflater(in, format);
  std::string out;
  for (;;) {
    if (!inflater.read_stream(out, bytes_max)) return std::nullopt;
    if (inflater.at_end()) return out;
    // A gzip file may be several members on end (RFC 1952 2.2); the other formats end here.
    if (format != gzip_format || !inflater.restart()) return std::nullopt;
  }
}

std::optional<std::string> undo(Coding coding, std::string_view in, std::size_t bytes_max) {
  switch (coding) {
    case Coding::gzip:
      return inflate_all(in, gzip_format, bytes_max);
    case Coding::deflate: {
      auto out = inflate_all(in, zlib_format, bytes_max);
      // Some senders take "deflate" by its name and leave the zlib wrapper off.
      return out ? out : inflate_all(in, raw_format, bytes_max);
    }
    case Coding::unknown:
      break;
  }
  return std::nullopt;
}

}  // namespace

std::vector<std::string_view> codings(std::span<const Field> fields) {
  std::vector<std::string_view> out;
  for (const Field& field : fields) {
    if (!equals_ignoring_case(field.name, "content-encoding")) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      const std::string_view name = trimmed(rest.substr(0, comma), optional_space);
      rest.remove_prefix(std::min(comma + 1, rest.size()));
      if (!name.empty() && !equals_ignoring_case(name, "identity")) out.push_back(name);
    }
  }
  return out;
}

std::optional<std::string> decode_content(std::span<const Field> fields, std::string_view body,
                                          std::size_t decoded_bytes_max) {
  std::string content(body);
  if (body.empty()) return content;
  const std::vector<std::string_view> applied = codings(fields);
  if (applied.size() > codings_max) return std::nullopt;
  for (auto name = applied.rbegin(); name != applied.rend(); ++name) {
    auto decoded = undo(coding(*name), content, decoded_bytes_max);
    if (!decoded) return std::nullopt;
    content = std::move(*decoded);
  }
  return content;
}

}  // namespace onceproxy::policies
