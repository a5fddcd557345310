#include "proxy/tls/pem.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <sstream>
#include <system_error>

namespace onceproxy::tls {
namespace {

constexpr off_t file_bytes_max = off_t{16} << 20;

Bio reader_of(const std::string& text) {
  return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

/// ASN.1's SEQUENCE with a long length: what certificates and keys begin with in DER form.
bool is_der(const std::string& text) {
  return text.size() > 2 && text[0] == '\x30' && text[1] == '\x82';
}

/// "is not in PEM form", with the remedy if it is known.
std::string no_pem(const std::string& text, const char* what, const char* command) {
  std::string out = std::string("holds no ") + what + " in PEM form";
  if (text.empty()) return "is empty";
  if (is_der(text)) {
    out += "; it is in DER form, which `openssl ";
    out += command;
    out += " -inform der` converts";
  }
  return out;
}

int no_password(char*, int, int, void*) {
  return -1;
}

bool is_encrypted(const std::string& text) {
  return text.find("BEGIN ENCRYPTED PRIVATE KEY") != std::string::npos ||
         text.find("Proc-Type: 4,ENCRYPTED") != std::string::npos;
}

}  // namespace

tl::expected<std::string, std::string> read_file(const std::string& path) {
  const auto cannot = [](const std::string& why) {
    return tl::unexpected("cannot be read: " + why);
  };
  struct stat found {};
  if (::stat(path.c_str(), &found) != 0) return cannot(std::generic_category().message(errno));
  if (!S_ISREG(found.st_mode)) return cannot("it is not a regular file");
  if (found.st_size > file_bytes_max) return cannot("it is larger than 16 MiB");
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file && found.st_size > 0) text << file.rdbuf();
  if (!file) return cannot(std::generic_category().message(errno == 0 ? EIO : errno));
  return std::move(text).str();
}

tl::expected<std::vector<Certificate>, std::string> certificates_in(const std::string& text) {
  const Bio bio = reader_of(text);
  std::vector<Certificate> out;
  while (Certificate next{PEM_read_bio_X509(bio.get(), nullptr, no_password, nullptr)}) {
    out.push_back(std::move(next));
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string why = last_error();
  if (at_end && !out.empty()) return out;
  if (at_end) return tl::unexpected(no_pem(text, "certificate", "x509"));
  return tl::unexpected("cannot be read as PEM: certificate " + std::to_string(out.size() + 1) +
                        " in it: " + why);
}

tl::expected<Key, std::string> key_in(const std::string& text) {
  if (is_encrypted(text)) {
    return tl::unexpected(std::string(
        "is encrypted, and onceproxy cannot ask for its password; `openssl pkey` writes it without "
        "one, for a file that only onceproxy's user can read"));
  }
  if (text.find("PRIVATE KEY-----") == std::string::npos) {
    return tl::unexpected(no_pem(text, "private key", "pkey"));
  }
  const Bio bio = reader_of(text);
  Key key(PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr));
  const std::string why = last_error();
  if (key) return key;
  return tl::unexpected("cannot be read as a private key: " + why);
}

}  // namespace onceproxy::tls
