#include <set>
#include <string>

#include "test/unit/catch.hpp"
#include "test/unit/support/store_world.hpp"

TEST_CASE("a folder is listed whole, however many entries it has, and again", "[disk]") {
  // 32 bytes an entry: within the first buffer, about its end, within the next, more than one.
  const int count = GENERATE(0, 1, 115, 120, 125, 130, 1100, 1200, 4000);
  const test::TempDir dir;
  allocator::store::PosixFileSystem fs;
  const auto folder = fs.open_directory(dir.path());
  REQUIRE(folder);
  std::set<std::string> made;
  for (int number = 0; number < count; ++number) {
    const std::string name = "10.9." + std::to_string(number);
    made.insert(name);
    fs.make_link("1", *folder, name);
  }
  for (int times = 0; times < 2; ++times) {
    const auto names = fs.list(*folder);
    CHECK(names.size() == made.size());
    CHECK((std::set<std::string>(names.begin(), names.end()) == made));
  }
}

TEST_CASE("a folder with the longest names is listed whole", "[disk]") {
  const test::TempDir dir;
  allocator::store::PosixFileSystem fs;
  const auto folder = fs.open_directory(dir.path());
  REQUIRE(folder);
  constexpr std::size_t name_max = 255;
  std::set<std::string> made;
  for (char last = 'a'; last <= 'z'; ++last) {
    made.insert(std::string(name_max - 1, 'n') + last);
    fs.make_link("1", *folder, *made.rbegin());
  }
  const auto names = fs.list(*folder);
  CHECK(names.size() == made.size());
  CHECK((std::set<std::string>(names.begin(), names.end()) == made));
}
