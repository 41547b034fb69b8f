#include "shim/cli/change/gc/unary_call.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "allocator/store/disk/file_system.hpp"
#include "allocator/store/disk/posix_call.hpp"
#include "shim/cli/change/gc/grpc_call.hpp"
#include "shim/cli/change/gc/pod_lists.hpp"

namespace shim::change {
namespace {

using allocator::store::Fd;
using allocator::store::retried;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

[[noreturn]] void give_up(const char* what) {
  throw NoPods(std::string(what) + ": " + std::strerror(errno));
}

/// A closed one where there is no socket.
Fd connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw NoPods("its path is too long");
  path.copy(address.sun_path, path.size());
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.is_open()) give_up("socket");
  // unix(7): a local one is connected at once, or not at all.
  const auto* const base = reinterpret_cast<const sockaddr*>(&address);
  if (retried([&] { return ::connect(fd.number(), base, sizeof address); }) == 0) return fd;
  if (errno == ENOENT || errno == ENOTDIR) return {};
  give_up("connect");
}

/// One connection, until its time is over.
class Connection {
 public:
  Connection(Fd fd, milliseconds patience)
      : fd_(std::move(fd)), end_(steady_clock::now() + patience) {}

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      wait_for(POLLOUT);
      const auto sent =
          retried([&] { return ::send(fd_.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL); });
      if (sent == -1 && errno != EAGAIN) give_up("send");
      if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }

  std::string receive() {
    std::array<char, 65536> bytes{};
    while (true) {
      wait_for(POLLIN);
      const auto got = retried([&] { return ::recv(fd_.number(), bytes.data(), bytes.size(), 0); });
      if (got == 0) throw NoPods("it broke the call off");
      if (got > 0) return {bytes.data(), static_cast<std::size_t>(got)};
      if (errno != EAGAIN) give_up("receive");
    }
  }

 private:
  void wait_for(short events) {
    const auto left = std::chrono::duration_cast<milliseconds>(end_ - steady_clock::now());
    pollfd one{fd_.number(), events, 0};
    const auto count = std::max<milliseconds::rep>(left.count(), 0);
    const int ready = retried([&] { return ::poll(&one, 1, static_cast<int>(count)); });
    if (ready == -1) give_up("poll");
    if (ready == 0) throw NoPods("it did not answer in time");
  }

  Fd fd_;
  steady_clock::time_point end_;
};

std::string call(Connection& connection, std::string_view path) {
  connection.send(begin_call(path));
  CallAnswer answer;
  while (!answer.is_complete()) {
    const std::string reply = answer.take(connection.receive());
    if (!answer.is_complete()) connection.send(reply);
  }
  return answer.message();
}

}  // namespace

std::optional<std::string> call_socket(const std::string& socket, std::string_view path,
                                       milliseconds patience) {
  Fd fd = connect_to(socket);
  if (!fd.is_open()) return std::nullopt;
  Connection connection(std::move(fd), patience);
  return call(connection, path);
}

}  // namespace shim::change
