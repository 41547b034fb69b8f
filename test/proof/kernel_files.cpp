/// Kernel: what files, names and links hold, and whether it is on the disk.
#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>

#include "test/proof/kernel.hpp"

namespace proof {
namespace {

std::string identity_text(const store::FileIdentity& file) {
  return std::to_string(file.device) + ":" + std::to_string(file.inode) + "." +
         std::to_string(file.born_ns);
}

}  // namespace

ssize_t Kernel::read(int number, char* buffer, std::size_t size) {
  return call(Call::read, path_of(number, {}), [&](Short by) {
    File& from = file(number);
    const std::string& bytes = from.text ? *from.text : disk_.bytes_of(from.opened.fd);
    const std::size_t rest = bytes.size() - std::min(bytes.size(), from.offset);
    const std::size_t count = shortened(std::min(rest, size), by);
    bytes.copy(buffer, count, std::min(from.offset, bytes.size()));
    from.offset += count;
    return count;
  });
}

/// Only new files are written so: at their end.
ssize_t Kernel::write(int number, std::string_view bytes) {
  return call(Call::write, path_of(number, {}), [&](Short by) {
    const std::size_t count = shortened(bytes.size(), by);
    if (count != 0)
      disk_.write_all(file(number).opened.fd, bytes.substr(0, count), file(number).opened.path);
    return count;
  });
}

ssize_t Kernel::write_at_start(int number, std::string_view bytes) {
  return call(Call::pwrite, path_of(number, {}), [&](Short by) {
    const store::Fd& fd = file(number).opened.fd;
    const std::size_t count = shortened(bytes.size(), by);
    std::string content = disk_.bytes_of(fd);
    content.replace(0, std::min(count, content.size()), bytes.substr(0, count));
    if (count != 0) disk_.put_bytes(fd, content);
    return count;
  });
}

int Kernel::truncate(int number, std::size_t size) {
  return static_cast<int>(call(Call::truncate, path_of(number, {}), [&](Short) {
    const store::Fd& fd = file(number).opened.fd;
    std::string content = disk_.bytes_of(fd);
    content.resize(size);
    disk_.put_bytes(fd, content);
    return 0;
  }));
}

int Kernel::set_attribute(int number, const std::string& name, std::string_view value) {
  return static_cast<int>(call(Call::set_attribute, path_of(number, {}), [&](Short) {
    static_cast<void>(disk_.set_attribute(file(number).opened.fd, name, value, {}));
    return 0;
  }));
}

ssize_t Kernel::get_attribute(int number, const std::string& name, char* buffer, std::size_t size) {
  return call(Call::get_attribute, path_of(number, {}), [&](Short) {
    const auto value = disk_.get_attribute(file(number).opened.fd, name);
    if (!value) refuse(ENODATA);
    if (value->size() > size) refuse(ERANGE);
    return value->copy(buffer, size);
  });
}

int Kernel::link(int number, int folder, const std::string& name) {
  return static_cast<int>(call(Call::link, path_of(folder, name), [&](Short) {
    const auto outcome = disk_.link_file(file(number).opened.fd, file(folder).opened, name);
    if (outcome == store::Outcome::exists) refuse(EEXIST);
    return 0;
  }));
}

int Kernel::unlink(int folder, const std::string& name) {
  return static_cast<int>(call(Call::unlink, path_of(folder, name), [&](Short) {
    if (disk_.unlink(file(folder).opened, name) == store::Outcome::missing) refuse(ENOENT);
    return 0;
  }));
}

ssize_t Kernel::read_link(int folder, const std::string& name, char* buffer, std::size_t size) {
  return call(Call::read_link, path_of(folder, name), [&](Short) {
    const auto target = disk_.read_link(file(folder).opened, name);
    // EINVAL for what is no link: the store does not tell the two apart.
    if (!target) refuse(ENOENT);
    return target->copy(buffer, size);
  });
}

int Kernel::make_link(const std::string& target, int folder, const std::string& name) {
  return static_cast<int>(call(Call::symlink, path_of(folder, name), [&](Short) {
    const auto outcome = disk_.make_link(target, file(folder).opened, name);
    if (outcome == store::Outcome::exists) refuse(EEXIST);
    return 0;
  }));
}

int Kernel::rename(int folder, const std::string& from, const std::string& to) {
  return static_cast<int>(call(Call::rename, path_of(folder, to), [&](Short) {
    disk_.rename(file(folder).opened, from, to);
    return 0;
  }));
}

/// Of an inode whose fsync(2) has failed, a second one says nothing: the kernel may have dropped
/// what it was to write. The rest of the process must not ask again.
int Kernel::sync(int number) {
  const std::string path = path_of(number, {});
  const auto found = files_.find(number);
  const std::string inode = found == files_.end() || !found->second.opened.fd.is_open()
                                ? std::string()
                                : identity_text(disk_.identify(found->second.opened.fd));
  if (unsynced_.count(inode) != 0) disturbance_.blame("a second fsync of " + path);
  const long answer = call(Call::fsync, path, [&](Short) {
    disk_.sync(file(number).opened.fd, path);
    return 0;
  });
  if (answer != 0) unsynced_.insert(inode);
  return static_cast<int>(answer);
}

/// There is one process at a time: nobody else has it, but where the disturbance says so. Nor does
/// anybody then when it is waited for.
int Kernel::lock(int number, int operation) {
  const Trouble trouble = meet(Call::flock, path_of(number, {}));
  const bool waits = (operation & LOCK_NB) == 0;
  if (trouble.error == 0 || (waits && trouble.error == EWOULDBLOCK)) return 0;
  return static_cast<int>(failed(trouble.error));
}

}  // namespace proof
