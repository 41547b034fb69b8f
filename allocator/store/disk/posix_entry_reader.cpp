#include "allocator/store/disk/posix_entry_reader.hpp"

#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>
#include <new>
#include <string_view>

#include "allocator/store/disk/file_system.hpp"
#include "allocator/store/disk/posix_call.hpp"

namespace allocator::store {
namespace {

// From so many entries on, a child is cheaper than what it saves: 4 ms of a processor.
constexpr std::size_t kWorthAChild = 2048;
// What is taken at once: a millisecond's work, which the slower one may be behind at the end.
constexpr std::size_t kPortion = 128;

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

/// Memory that a child shares; nullopt where there is none.
std::optional<Mapping> map_shared(std::size_t size) {
  void* const bytes =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  return bytes == MAP_FAILED ? std::nullopt : std::optional<Mapping>(std::in_place, bytes, size);
}

/// The portions of the numbers up to `count`, each taken once, by whichever process.
class Portions {
 public:
  explicit Portions(std::size_t count) : count_(count), shared_(map_shared(sizeof(Counter))) {
    if (shared_) next_ = new (shared_->bytes()) Counter(0);
  }

  [[nodiscard]] bool can_be_shared() const { return shared_.has_value(); }
  [[nodiscard]] std::size_t count() const { return (count_ + kPortion - 1) / kPortion; }
  /// count() or more: there is none left.
  std::size_t take() { return next_->fetch_add(1); }

  template <typename Visit>
  void for_each_number(std::size_t portion, const Visit& visit) const {
    const std::size_t end = std::min(count_, (portion + 1) * kPortion);
    for (std::size_t number = portion * kPortion; number < end; ++number) visit(number);
  }

 private:
  using Counter = std::atomic<std::size_t>;
  static_assert(Counter::is_always_lock_free, "processes share it");

  std::size_t count_;
  std::optional<Mapping> shared_;
  Counter own_ = 0;
  Counter* next_ = &own_;  ///< own_ where no memory can be shared
};

class SharedEntryReader final : public EntryReader {
 public:
  SharedEntryReader(std::size_t count, Read read)
      : entries_(count),
        read_(std::move(read)),
        portions_(count),
        found_(::memfd_create("entries", MFD_CLOEXEC)) {
    if (!found_.is_open() || !portions_.can_be_shared()) return;
    const pid_t parent = ::getpid();
    child_ = ::fork();
    if (child_ == 0) ::_exit(work(parent) ? 0 : 1);
  }
  SharedEntryReader(const SharedEntryReader&) = delete;
  SharedEntryReader& operator=(const SharedEntryReader&) = delete;
  /// Nothing is left behind, also when what is read throws, or is not asked for any more.
  ~SharedEntryReader() override {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    wait();
  }

  std::vector<EntryText> finish() override {
    std::vector<bool> is_read(portions_.count());
    const auto read_portion = [&](std::size_t portion) {
      portions_.for_each_number(portion,
                                [&](std::size_t number) { entries_[number] = read_(number); });
      is_read[portion] = true;
    };
    for (std::size_t portion = portions_.take(); portion < is_read.size();
         portion = portions_.take())
      read_portion(portion);
    if (child_ > 0 && wait()) take_what_was_found(is_read);
    for (std::size_t portion = 0; portion < is_read.size(); ++portion)
      if (!is_read[portion]) read_portion(portion);
    return std::move(entries_);
  }

 private:
  /// The child's. What it cannot do, also for want of something, its parent does, or says why it
  /// cannot either.
  [[nodiscard]] bool work(pid_t parent) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) return false;
    try {
      std::string text;
      for (std::size_t portion = portions_.take(); portion < portions_.count();
           portion = portions_.take()) {
        text.append(reinterpret_cast<const char*>(&portion), sizeof portion);
        portions_.for_each_number(portion,
                                  [&](std::size_t number) { append(text, read_(number)); });
      }
      return write_whole(found_.number(), text);
    } catch (...) {
      return false;
    }
  }

  /// Waits for the child's end. True when it has ended well.
  bool wait() {
    int status = 0;
    const pid_t ended = retried([&] { return ::waitpid(child_, &status, 0); });
    child_ = -1;
    return ended > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

  void take_what_was_found(std::vector<bool>& is_read) {
    const off_t size = ::lseek(found_.number(), 0, SEEK_END);
    if (size <= 0) return;
    const auto length = static_cast<std::size_t>(size);
    void* const bytes = ::mmap(nullptr, length, PROT_READ, MAP_PRIVATE, found_.number(), 0);
    if (bytes == MAP_FAILED) return;
    const Mapping mapping(bytes, length);
    for (std::string_view rest(static_cast<const char*>(bytes), length); !rest.empty();) {
      std::size_t portion = 0;
      std::memcpy(&portion, rest.data(), sizeof portion);
      rest.remove_prefix(sizeof portion);
      portions_.for_each_number(portion,
                                [&](std::size_t number) { entries_[number] = take(rest); });
      is_read[portion] = true;
    }
  }

  std::vector<EntryText> entries_;
  Read read_;
  Portions portions_;
  Fd found_;
  pid_t child_ = -1;
};

}  // namespace

std::unique_ptr<EntryReader> begin_reading_entries(std::size_t count, EntryReader::Read read) {
  if (count < kWorthAChild || !has_second_processor())
    return std::make_unique<PlainEntryReader>(count, std::move(read));
  return std::make_unique<SharedEntryReader>(count, std::move(read));
}

}  // namespace allocator::store
