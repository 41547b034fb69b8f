// Many entries at once, with a child: what it finds, and what becomes of it when it does not.
#include "allocator/store/disk/posix_entry_reader.hpp"

#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "allocator/store/disk/posix_file_system.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/temp_dir.hpp"

using allocator::store::begin_reading_entries;
using allocator::store::EntryText;
using allocator::store::PosixFileSystem;
using test::TempDir;
using test::write_text;

namespace {

constexpr std::size_t kMany = 5001;
constexpr std::size_t kLimit = 64;
constexpr const char* kAttribute = "user.delegated-ipam";

bool has_two_processors() {
  cpu_set_t processors;
  return ::sched_getaffinity(0, sizeof processors, &processors) == 0 && CPU_COUNT(&processors) > 1;
}

bool has_no_child() { return ::waitpid(-1, nullptr, WNOHANG) == -1 && errno == ECHILD; }

/// Tells the number, and who has read it.
EntryText told_by_process(std::size_t number) {
  return {std::to_string(number), std::to_string(::getpid()), 0};
}

/// What one process tells another one, once.
class Pipe {
 public:
  Pipe() { REQUIRE(::pipe(ends_.data()) == 0); }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    ::close(ends_[0]);
    ::close(ends_[1]);
  }

  void tell() const { static_cast<void>(!::write(ends_[1], "x", 1)); }
  void wait() const {
    char byte = 0;
    static_cast<void>(!::read(ends_[0], &byte, 1));
  }

 private:
  std::array<int, 2> ends_{};
};

void check_numbers(const std::vector<EntryText>& entries, std::size_t count) {
  REQUIRE(entries.size() == count);
  for (std::size_t number = 0; number < count; ++number) {
    if (entries[number].bytes != std::to_string(number)) FAIL("at " << number);
  }
}

}  // namespace

TEST_CASE("a child reads many entries, and none of a few, while its parent does something else",
          "[entries]") {
  const std::string own = std::to_string(::getpid());
  Pipe has_begun;
  const auto many = begin_reading_entries(kMany, [&](std::size_t number) {
    if (number == 0) has_begun.tell();
    return told_by_process(number);
  });
  if (has_two_processors()) has_begun.wait();
  const auto entries = many->finish();
  check_numbers(entries, kMany);
  CHECK((entries.front().attribute != own) == has_two_processors());
  const auto few = begin_reading_entries(100, told_by_process)->finish();
  check_numbers(few, 100);
  CHECK(few.front().attribute == own);
  CHECK(few.back().attribute == own);
  CHECK(begin_reading_entries(0, told_by_process)->finish().empty());
  CHECK(has_no_child());
}

TEST_CASE("what a child is too slow for, its parent reads", "[entries]") {
  if (!has_two_processors()) return;  // there is no child
  const std::string own = std::to_string(::getpid());
  Pipe has_begun;
  Pipe is_last;
  const auto reader = begin_reading_entries(kMany, [&](std::size_t number) {
    if (number == 0) has_begun.tell();
    if (number == 0) is_last.wait();
    if (number == kMany - 1) is_last.tell();
    return told_by_process(number);
  });
  has_begun.wait();
  const auto entries = reader->finish();
  check_numbers(entries, kMany);
  CHECK(entries.front().attribute != own);
  CHECK(entries[kMany / 2].attribute == own);
  CHECK(entries.back().attribute == own);
}

TEST_CASE("what a child that is killed or fails has not read, its parent reads", "[entries]") {
  const pid_t parent = ::getpid();
  const bool is_killed = GENERATE(true, false);
  Pipe has_begun;
  const auto reader = begin_reading_entries(kMany, [&](std::size_t number) {
    if (::getpid() != parent) {
      has_begun.tell();
      if (!is_killed) throw std::runtime_error("no room");
      ::raise(SIGKILL);
    }
    return told_by_process(number);
  });
  if (has_two_processors()) has_begun.wait();
  const auto entries = reader->finish();
  check_numbers(entries, kMany);
  CHECK(entries.front().attribute == std::to_string(parent));
  CHECK(has_no_child());
}

TEST_CASE("a child ends where its parent's reading throws, and where nobody asks for what it reads",
          "[entries]") {
  const pid_t parent = ::getpid();
  auto reader = begin_reading_entries(kMany, [&](std::size_t number) -> EntryText {
    if (::getpid() == parent) throw std::runtime_error("no room");
    while (true) ::pause();
    return told_by_process(number);
  });
  if (GENERATE(true, false)) CHECK_THROWS_AS(reader->finish(), std::runtime_error);
  reader.reset();
  CHECK(has_no_child());
}

TEST_CASE("many entries are read as each one by itself is", "[entries]") {
  const TempDir dir;
  PosixFileSystem fs;
  const auto folder = fs.open_directory(dir.path());
  REQUIRE(folder);
  std::vector<std::string> names;
  for (std::size_t number = 0; number < kMany; ++number) {
    names.push_back(std::to_string(number));
    const std::string path = dir.file(names.back());
    switch (number % 6) {
      case 0:
        break;  // missing
      case 1:
        REQUIRE(::symlink(("to " + names.back()).c_str(), path.c_str()) == 0);
        break;
      case 2:
        std::filesystem::create_directory(path);
        break;
      case 3:
        write_text(path, std::string(number % (2 * kLimit), 'x'));
        break;
      default:
        write_text(path, "of " + names.back());
    }
    if (number % 6 != 4) continue;
    const auto file = fs.open_file(*folder, names.back());
    static_cast<void>(fs.set_attribute(*file, kAttribute, names.back(), path));
  }
  const auto texts = fs.begin_reading(kMany, [&](std::size_t number) {
                         return fs.look_up_regular(*folder, names[number], kLimit, kAttribute);
                       })->finish();
  const auto links = fs.begin_reading(kMany, [&](std::size_t number) {
                         return fs.look_up_link(*folder, names[number]);
                       })->finish();
  REQUIRE(texts.size() == kMany);
  REQUIRE(links.size() == kMany);
  for (std::size_t number = 0; number < kMany; ++number) {
    INFO(number);
    const auto kind = number % 6;
    const auto file = kind == 2 ? std::nullopt : fs.open_file(*folder, names[number]);
    if (kind == 2) {
      REQUIRE(texts[number].error == EISDIR);
      REQUIRE(links[number].error == EISDIR);
      continue;
    }
    REQUIRE(texts[number].error == 0);
    REQUIRE(texts[number].bytes == fs.read_regular_entry(*folder, names[number], kLimit));
    const auto attribute = file ? fs.get_attribute(*file, kAttribute) : std::nullopt;
    REQUIRE(texts[number].attribute == attribute);
    REQUIRE(links[number].error == 0);
    REQUIRE(links[number].bytes == fs.read_link(*folder, names[number]));
  }
}
