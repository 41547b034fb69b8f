// Many entries at once, the second half by a child: what it finds, and what becomes of it when it does not.
#include "allocator/store/disk/posix_halves.hpp"

#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

#include "allocator/store/disk/posix_file_system.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/temp_dir.hpp"

using allocator::store::EntryText;
using allocator::store::PosixFileSystem;
using allocator::store::read_in_halves;
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

void check_numbers(const std::vector<EntryText>& entries, std::size_t count) {
  REQUIRE(entries.size() == count);
  for (std::size_t number = 0; number < count; ++number) {
    if (entries[number].bytes != std::to_string(number)) FAIL("at " << number);
  }
}

}  // namespace

TEST_CASE("a child reads the second half of many entries, and none of a few", "[halves]") {
  const std::string own = std::to_string(::getpid());
  const auto many = read_in_halves(kMany, told_by_process);
  check_numbers(many, kMany);
  CHECK(many.front().attribute == own);
  CHECK(many[kMany / 2 - 1].attribute == own);
  CHECK((many[kMany / 2].attribute != own) == has_two_processors());
  CHECK(many.back().attribute == many[kMany / 2].attribute);
  const auto few = read_in_halves(100, told_by_process);
  check_numbers(few, 100);
  CHECK(few.back().attribute == own);
  CHECK(read_in_halves(0, told_by_process).empty());
  CHECK(has_no_child());
}

TEST_CASE("what a child that is killed or fails has not read, its parent reads", "[halves]") {
  const pid_t parent = ::getpid();
  const bool is_killed = GENERATE(true, false);
  const auto entries = read_in_halves(kMany, [&](std::size_t number) {
    if (::getpid() != parent && number == kMany - 1) {
      if (!is_killed) throw std::runtime_error("no room");
      ::raise(SIGKILL);
    }
    return told_by_process(number);
  });
  check_numbers(entries, kMany);
  CHECK(entries.back().attribute == std::to_string(parent));
  CHECK(has_no_child());
}

TEST_CASE("where the first half throws, the child ends", "[halves]") {
  const pid_t parent = ::getpid();
  const auto read = [&](std::size_t number) -> EntryText {
    if (::getpid() == parent) throw std::runtime_error("no room");
    while (true) ::pause();
    return told_by_process(number);
  };
  CHECK_THROWS_AS(read_in_halves(kMany, read), std::runtime_error);
  CHECK(has_no_child());
}

TEST_CASE("many entries are read as each one by itself is", "[halves]") {
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
  const auto texts = fs.read_regular_entries(*folder, names, kLimit, kAttribute);
  const auto links = fs.read_links(*folder, names);
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
