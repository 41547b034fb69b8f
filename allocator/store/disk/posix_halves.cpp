#include "allocator/store/disk/posix_halves.hpp"

#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

#include "allocator/store/disk/posix_call.hpp"

namespace allocator::store {
namespace {

// From so many entries on, a child is cheaper than what it saves: 4 ms of a processor.
constexpr std::size_t kWorthAChild = 2048;

bool has_second_processor() {
  cpu_set_t processors;
  return ::sched_getaffinity(0, sizeof processors, &processors) == 0 && CPU_COUNT(&processors) > 1;
}

/// How an EntryText is written: this, its bytes, its attribute.
struct Head {
  int error;
  bool has_bytes;
  bool has_attribute;
  std::size_t bytes;
  std::size_t attribute;
};

void append(std::string& text, const EntryText& entry) {
  const Head head{entry.error, entry.bytes.has_value(), entry.attribute.has_value(),
                  entry.bytes ? entry.bytes->size() : 0,
                  entry.attribute ? entry.attribute->size() : 0};
  text.append(reinterpret_cast<const char*>(&head), sizeof head);
  if (entry.bytes) text += *entry.bytes;
  if (entry.attribute) text += *entry.attribute;
}

EntryText take(std::string_view& text) {
  Head head{};
  std::memcpy(&head, text.data(), sizeof head);
  text.remove_prefix(sizeof head);
  EntryText entry;
  entry.error = head.error;
  if (head.has_bytes) entry.bytes.emplace(text.substr(0, head.bytes));
  text.remove_prefix(head.bytes);
  if (head.has_attribute) entry.attribute.emplace(text.substr(0, head.attribute));
  text.remove_prefix(head.attribute);
  return entry;
}

bool write_whole(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto written = retried([&] { return ::write(fd, text.data(), text.size()); });
    if (written <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

/// A child that reads the entries from `first` to `count` - 1.
class Child {
 public:
  using Read = std::function<EntryText(std::size_t)>;

  Child(std::size_t first, std::size_t count, const Read& read)
      : found_(::memfd_create("entries", MFD_CLOEXEC)) {
    if (!found_.is_open()) return;
    const pid_t parent = ::getpid();
    pid_ = ::fork();
    if (pid_ == 0) ::_exit(work(parent, first, count, read) ? 0 : 1);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  /// Nothing is left behind, also when the parent's own half throws.
  ~Child() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    wait();
  }

  /// Waits for its end. Nothing when it has not come through.
  std::string all() {
    if (pid_ <= 0 || !wait()) return {};
    const off_t size = ::lseek(found_.number(), 0, SEEK_END);
    std::string text(static_cast<std::size_t>(size < 0 ? 0 : size), '\0');
    const auto got = retried([&] { return ::pread(found_.number(), text.data(), text.size(), 0); });
    return got == size ? text : std::string();
  }

 private:
  /// What it cannot do, also for want of something, its parent does, or says why it cannot either.
  [[nodiscard]] bool work(pid_t parent, std::size_t first, std::size_t count, const Read& read) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) return false;
    try {
      std::string text;
      for (std::size_t number = first; number < count; ++number) append(text, read(number));
      return write_whole(found_.number(), text);
    } catch (...) {
      return false;
    }
  }

  /// True when it has ended well.
  bool wait() {
    int status = 0;
    const pid_t ended = retried([&] { return ::waitpid(pid_, &status, 0); });
    pid_ = -1;
    return ended > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

  Fd found_;
  pid_t pid_ = -1;
};

}  // namespace

std::vector<EntryText> read_in_halves(std::size_t count,
                                      const std::function<EntryText(std::size_t)>& read) {
  const bool is_shared = count >= kWorthAChild && has_second_processor();
  const std::size_t middle = is_shared ? count / 2 : count;
  std::vector<EntryText> entries;
  entries.reserve(count);
  if (is_shared) {
    Child child(middle, count, read);
    for (std::size_t number = 0; number < middle; ++number) entries.push_back(read(number));
    const std::string text = child.all();
    for (std::string_view rest = text; !rest.empty();) entries.push_back(take(rest));
  }
  for (std::size_t number = entries.size(); number < count; ++number)
    entries.push_back(read(number));
  return entries;
}

}  // namespace allocator::store
