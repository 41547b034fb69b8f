/// The log file: what a line looks like, who may write at once, and what must never hold a command
/// up.
#include "shim/cni/log.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <regex>
#include <sstream>

#include "test/unit/catch.hpp"
#include "test/unit/support/temp_dir.hpp"

using shim::Log;
using shim::LogConf;

namespace {

LogConf conf_for(const std::string& file) {
  LogConf conf;
  conf.file = file;
  return conf;
}

std::vector<std::string> lines_of(const std::string& file) {
  std::istringstream text(test::read_text(file));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

/// Writes `count` lines of `size` equal characters from a process of its own.
pid_t write_in_a_child(const LogConf& conf, char character, int count, std::size_t size) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  Log log(conf);
  for (int i = 0; i < count; ++i) log.info(std::string(size, character));
  ::_exit(0);
}

}  // namespace

TEST_CASE("a line of the log has a time, a level, a process and one text", "[log]") {
  const test::TempDir folder;
  const std::string file = folder.file("log");
  Log(conf_for(file)).warning("two\nlines and a \x80 byte");
  const auto lines = lines_of(file);
  REQUIRE(lines.size() == 1);
  const std::regex form(
      R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d \[warning\] \[(\d+)\] (.*))");
  std::smatch parts;
  REQUIRE(std::regex_match(lines[0], parts, form));
  CHECK(parts[1] == std::to_string(::getpid()));
  CHECK(parts[2] == "two lines and a \uFFFD byte");
}

TEST_CASE("the level says what is written", "[log]") {
  const test::TempDir folder;
  LogConf conf = conf_for(folder.file("log"));
  const auto count_at = [&](const std::string& level) {
    std::filesystem::remove(conf.file);
    conf.level = level;
    Log log(conf);
    log.debug("d");
    log.info("i");
    log.warning("w");
    log.error("e");
    return lines_of(conf.file).size();
  };
  CHECK(count_at("debug") == 4);
  CHECK(count_at("verbose") == 4);
  CHECK(count_at("info") == 3);
  CHECK(count_at("warning") == 2);
  CHECK(count_at("error") == 1);
  CHECK(count_at("panic") == 0);
}

TEST_CASE("the folder of the log is made, and what was in the log stays", "[log]") {
  const test::TempDir folder;
  const std::string file = folder.file("var/log/cni/log");
  Log(conf_for(file)).info("first");
  Log(conf_for(file)).info("second");
  const auto lines = lines_of(file);
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].ends_with("] first"));
  CHECK(lines[1].ends_with("] second"));
}

TEST_CASE("a log that cannot be opened is silent", "[log]") {
  const test::TempDir folder;
  const std::string place = folder.file("x");
  SECTION("a folder") { std::filesystem::create_directory(place); }
  SECTION("a pipe that nobody reads") { REQUIRE(::mkfifo(place.c_str(), 0600) == 0); }
  SECTION("a link that leads nowhere") {
    std::filesystem::create_symlink(folder.file("no/where"), place);
  }
  const auto before = std::filesystem::symlink_status(place).type();
  Log(conf_for(place)).error("lost");
  CHECK(std::filesystem::symlink_status(place).type() == before);
}

TEST_CASE("delegates do not inherit the log", "[log]") {
  const test::TempDir folder;
  const std::string file = folder.file("log");
  const Log log(conf_for(file));
  int found = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    if (std::filesystem::read_symlink(entry.path(), gone) != file) continue;
    ++found;
    const int flags = ::fcntl(std::stoi(entry.path().filename()), F_GETFD);
    CHECK((flags & FD_CLOEXEC) != 0);
  }
  CHECK(found == 1);
}

TEST_CASE("a log that has grown too large is moved aside", "[log]") {
  const test::TempDir folder;
  LogConf conf = conf_for(folder.file("log"));
  conf.max_size_mib = 1;
  conf.max_backups = 2;
  constexpr std::size_t too_large = (1 << 20) + 1;
  for (const char byte : {'a', 'b', 'c'}) {
    test::write_text(conf.file, std::string(too_large, byte));
    Log(conf).info("new");
    CHECK(lines_of(conf.file).size() == 1);
  }
  CHECK(test::read_text(conf.file + ".1").front() == 'c');
  CHECK(test::read_text(conf.file + ".2").front() == 'b');
  CHECK_FALSE(test::exists(conf.file + ".3"));

  test::write_text(conf.file, std::string(too_large - 1, 'd'));
  Log(conf).info("goes on");
  CHECK(test::read_text(conf.file).front() == 'd');
  CHECK(test::read_text(conf.file + ".1").front() == 'c');
}

TEST_CASE("many processes write to one log without tearing lines", "[log]") {
  const test::TempDir folder;
  const LogConf conf = conf_for(folder.file("log"));
  constexpr int count = 50;
  constexpr std::size_t size = 20'000;  // more than any buffer of a stream
  std::vector<pid_t> children;
  for (const char character : {'a', 'b', 'c', 'd'})
    children.push_back(write_in_a_child(conf, character, count, size));
  for (const pid_t child : children) {
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
  }
  const auto lines = lines_of(conf.file);
  CHECK(lines.size() == children.size() * count);
  for (const auto& line : lines) {
    const std::string text = line.substr(line.rfind(' ') + 1);
    CHECK(text == std::string(size, text.front()));
  }
}
