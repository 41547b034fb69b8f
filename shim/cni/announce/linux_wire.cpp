#include "shim/cni/announce/linux_wire.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/io_uring.h>
#include <linux/magic.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstring>

#include "shim/cni/protocol/environment.hpp"

namespace shim::announce {
namespace {

constexpr int kSocketFlags = SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK;
constexpr std::size_t kAnswerSize = 32768;                  // the kernel puts at most this into one
constexpr std::size_t kAnswerLimit = std::size_t{8} << 20;  // some thousand ports

nlmsghdr header_at(const std::string& text, std::size_t at) {
  nlmsghdr header{};
  if (text.size() >= at + sizeof header) std::memcpy(&header, text.data() + at, sizeof header);
  return header;
}

/// True when the last message from `at` on says that a dump is over.
bool ends_dump(const std::string& answer, std::size_t at) {
  while (at < answer.size()) {
    const nlmsghdr header = header_at(answer, at);
    if (header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR) return true;
    if (header.nlmsg_len < sizeof header) return true;
    at += NLMSG_ALIGN(header.nlmsg_len);
  }
  return false;
}

/// Closing a packet socket waits for all processors to have passed by, 8 to 16 ms in which the main
/// plugin would wait for us. An io_uring that has the socket among its files is taken apart by a
/// worker of the kernel's, later, and the socket with it. Where there is none, closing takes its
/// time. Returns the descriptor that is to be closed last, or -1.
int put_off_closing(int socket) {
  io_uring_params parameters{};
  const auto ring = static_cast<int>(::syscall(SYS_io_uring_setup, 1, &parameters));
  if (ring != -1)
    static_cast<void>(::syscall(SYS_io_uring_register, ring, IORING_REGISTER_FILES, &socket, 1));
  return ring;
}

}  // namespace

LinuxWire::~LinuxWire() {
  const int ring = packet_ == -1 ? -1 : put_off_closing(packet_);
  for (const int descriptor : {namespace_, netlink_, packet_, ring}) {
    if (descriptor != -1) ::close(descriptor);
  }
}

std::optional<int> LinuxWire::open_namespace(const std::string& path) {
  if (path.empty() || namespace_ != -1) return std::nullopt;
  namespace_ = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  struct statfs status {};
  if (namespace_ == -1 || ::fstatfs(namespace_, &status) != 0 || status.f_type != NSFS_MAGIC)
    return std::nullopt;
  return namespace_;
}

std::string LinuxWire::ask(const std::string& request) {
  if (netlink_ == -1) netlink_ = ::socket(AF_NETLINK, kSocketFlags, NETLINK_ROUTE);
  std::string answer;
  if (::send(netlink_, request.data(), request.size(), 0) != static_cast<ssize_t>(request.size()))
    return answer;
  const bool is_dump = (header_at(request, 0).nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
  std::size_t at = 0;
  while (receive(answer) && is_dump && !ends_dump(answer, at)) at = answer.size();
  return answer;
}

/// The kernel has answered before send() returns, and makes the rest of a dump as it is read: there
/// is never anything to wait for.
bool LinuxWire::receive(std::string& answer) {
  const std::size_t before = answer.size();
  if (before > kAnswerLimit) return false;
  answer.resize(before + kAnswerSize);
  sockaddr_nl sender{};
  socklen_t length = sizeof sender;
  const auto received = ::recvfrom(netlink_, answer.data() + before, kAnswerSize, 0,
                                   reinterpret_cast<sockaddr*>(&sender), &length);
  const bool is_kernels = received > 0 && length == sizeof sender && sender.nl_pid == 0;
  answer.resize(before + (is_kernels ? static_cast<std::size_t>(received) : 0));
  return is_kernels;
}

std::optional<std::vector<std::string>> LinuxWire::port_names(const std::string& bridge) {
  if (!is_file_name(bridge)) return std::nullopt;
  DIR* folder = ::opendir(("/sys/class/net/" + bridge + "/brif").c_str());
  if (folder == nullptr) return std::nullopt;
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(folder)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  ::closedir(folder);
  return names;
}

bool LinuxWire::send(std::uint32_t device, const std::string& frame) {
  // Protocol 0: nothing is received.
  if (packet_ == -1) packet_ = ::socket(AF_PACKET, kSocketFlags, 0);
  sockaddr_ll target{};
  target.sll_family = AF_PACKET;
  target.sll_ifindex = static_cast<int>(device);
  std::memcpy(&target.sll_protocol, frame.data() + 12, sizeof target.sll_protocol);
  return ::sendto(packet_, frame.data(), frame.size(), 0, reinterpret_cast<sockaddr*>(&target),
                  sizeof target) == static_cast<ssize_t>(frame.size());
}

}  // namespace shim::announce
