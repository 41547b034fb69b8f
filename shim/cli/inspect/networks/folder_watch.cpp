#include "shim/cli/inspect/networks/folder_watch.hpp"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>

#include "allocator/store/disk/posix_call.hpp"

namespace shim::inspect {

FolderWatch::FolderWatch(std::set<std::string> folders)
    : folders_(std::move(folders)), events_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
  constexpr unsigned changes =
      IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_CLOSE_WRITE | IN_ATTRIB | IN_ONLYDIR;
  for (const auto& folder : folders_) {
    if (events_.is_open())
      static_cast<void>(::inotify_add_watch(events_.number(), folder.c_str(), changes));
  }
}

bool FolderWatch::wait(std::chrono::milliseconds patience) {
  // poll(2) leaves out what is not open.
  std::array<pollfd, 2> fds = {{{STDOUT_FILENO, 0, 0}, {events_.number(), POLLIN, 0}}};
  static_cast<void>(allocator::store::retried(
      [&] { return ::poll(fds.data(), fds.size(), static_cast<int>(patience.count())); }));
  std::array<char, 4096> events;
  while (events_.is_open() && ::read(events_.number(), events.data(), events.size()) > 0) continue;
  return (fds[0].revents & (POLLERR | POLLHUP)) == 0;
}

}  // namespace shim::inspect
