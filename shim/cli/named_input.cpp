#include "shim/cli/named_input.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

#include "allocator/store/disk/file_system.hpp"
#include "shim/cli/command.hpp"

namespace shim {
namespace {

std::string read_all(int fd, std::size_t limit) {
  std::string text;
  std::array<char, 65536> buffer{};
  while (text.size() <= limit) {
    const ssize_t count = ::read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw std::system_error(errno, std::generic_category(), "read");
    if (count == 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return text;
}

}  // namespace

std::string read_named(const std::string& name, std::size_t limit) {
  if (name == "-") return read_all(STDIN_FILENO, limit);
  const allocator::store::Fd fd(::open(name.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.is_open()) throw std::system_error(errno, std::generic_category(), "open");
  return read_all(fd.number(), limit);
}

std::string read_input_text(const std::string& name, std::size_t limit) {
  try {
    std::string text = read_named(name, limit);
    if (text.size() <= limit) return text;
  } catch (const std::system_error& error) {
    throw UsageError(name + ": " + error.code().message() + "; name a file that can be read");
  }
  throw UsageError(name + ": larger than " + std::to_string(limit >> 20) +
                   " MiB; name the file that was meant");
}

}  // namespace shim
