#include "proxy/cli/doctor/addresses.hpp"

#include <sys/un.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstring>

namespace onceproxy::doctor {
namespace {

tl::expected<std::vector<SocketAddress>, std::string> unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return tl::unexpected(std::string("the path is longer than a socket's may be"));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  SocketAddress out;
  std::memcpy(&out.storage, &address, sizeof address);
  out.size = sizeof address;
  return std::vector<SocketAddress>{out};
}

}  // namespace

tl::expected<std::vector<SocketAddress>, std::string> resolve(const io::Endpoint& address,
                                                              bool to_listen) {
  if (!address.unix_path.empty()) return unix_address(address.unix_path);
  using boost::asio::ip::tcp;
  boost::asio::io_context context;
  boost::system::error_code error;
  const auto flags =
      to_listen ? tcp::resolver::passive : tcp::resolver::flags(tcp::resolver::numeric_service);
  const auto all =
      tcp::resolver(context).resolve(address.host, std::to_string(address.port), flags, error);
  if (error) return tl::unexpected(error.message());
  std::vector<SocketAddress> out;
  for (const auto& one : all) {
    const tcp::endpoint endpoint = one.endpoint();
    SocketAddress found;
    std::memcpy(&found.storage, endpoint.data(), endpoint.size());
    found.size = static_cast<socklen_t>(endpoint.size());
    out.push_back(found);
  }
  return out;
}

}  // namespace onceproxy::doctor
