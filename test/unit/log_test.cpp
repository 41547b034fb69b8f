/// The log file: what a line looks like, who may write at once, and what must never hold a command
/// up.
#include "shim/cni/protocol/log.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <regex>
#include <sstream>
#include <string_view>

#include "test/unit/catch.hpp"
#include "test/unit/support/temp_dir.hpp"

using shim::Log;
using shim::LogConf;

namespace {

LogConf conf_for(const std::string& file) {
  LogConf conf;
  conf.file = file;
  conf.lock_folder = std::filesystem::path(file).parent_path().string() + "/run";
  return conf;
}

/// A log that is too large after every line, so that every command rotates it.
LogConf restless(const std::string& file) {
  LogConf conf = conf_for(file);
  conf.max_size_mib = 0;
  return conf;
}

/// As /tmp is.
void open_to_everybody(const std::string& folder) {
  std::filesystem::create_directories(folder);
  REQUIRE(::chmod(folder.c_str(), 01777) == 0);
}

/// Holds the file's lock, as anybody can who may open it.
class Holder {
 public:
  explicit Holder(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    REQUIRE(::flock(fd_, LOCK_EX | LOCK_NB) == 0);
  }
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;
  ~Holder() { ::close(fd_); }

 private:
  int fd_;
};

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

TEST_CASE("a new log is for its owner alone, and so is the one after a rotation", "[log]") {
  const test::TempDir folder;
  const LogConf conf = restless(folder.file("log"));
  for (int i = 0; i < 2; ++i) {
    Log(conf).info("line");
    struct stat status {};
    REQUIRE(::stat(conf.file.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);
  }
  CHECK(test::exists(conf.file + ".1"));
}

TEST_CASE("a link to the log counts where nobody else can make one", "[log]") {
  const test::TempDir folder;
  std::filesystem::create_directories(folder.file("far"));
  const std::string place = folder.file("near");
  std::string file = place + "/log";
  SECTION("the log") {
    std::filesystem::create_directories(place);
    std::filesystem::create_symlink("../far/log", file);
  }
  SECTION("the log, by its whole path") {
    std::filesystem::create_directories(place);
    std::filesystem::create_symlink(folder.file("far/log"), file);
  }
  SECTION("its folder") { std::filesystem::create_symlink("far/.", place); }
  SECTION("a link to a link") {
    std::filesystem::create_symlink("far", folder.file("middle"));
    std::filesystem::create_symlink("middle", place);
  }
  const LogConf conf = restless(file);
  Log(conf).info("first");
  Log(conf).info("second");
  CHECK(lines_of(folder.file("far/log")).size() == 1);
  CHECK(lines_of(folder.file("far/log.1")).size() == 1);
}

TEST_CASE("in a folder of everybody's no link is followed to the log", "[log]") {
  const test::TempDir folder;
  const std::string precious = folder.file("own/precious");
  test::write_text(precious, "precious");
  const std::string shared = folder.file("shared");
  open_to_everybody(shared);
  std::string file = shared + "/log";
  SECTION("a symbolic link") { std::filesystem::create_symlink(precious, file); }
  SECTION("a second name") { std::filesystem::create_hard_link(precious, file); }
  SECTION("a symbolic link to a folder") {
    std::filesystem::create_symlink(folder.file("own"), shared + "/way");
    file = shared + "/way/precious";
  }
  SECTION("a symbolic link by way of another one that counts") {
    std::filesystem::create_symlink(precious, file);
    std::filesystem::create_symlink(shared, folder.file("way"));
    file = folder.file("way/log");
  }
  Log(conf_for(file)).info("lost");
  Log(restless(file)).info("lost");
  CHECK(test::read_text(precious) == "precious");
}

TEST_CASE("in a folder of everybody's a log is made, goes on and is rotated", "[log]") {
  const test::TempDir folder;
  open_to_everybody(folder.file("shared"));
  LogConf conf = conf_for(folder.file("shared/log"));
  Log(conf).info("first");
  Log(conf).info("second");
  CHECK(lines_of(conf.file).size() == 2);
  conf.max_size_mib = 0;
  Log(conf).info("third");
  CHECK(lines_of(conf.file).size() == 1);
  CHECK(lines_of(conf.file + ".1").size() == 2);
}

TEST_CASE("the kernel's own links are followed: /dev/stderr leads to one", "[log]") {
  const test::TempDir folder;
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0);
  LogConf conf = conf_for(folder.file("log"));
  conf.file = "/proc/self/fd/" + std::to_string(ends[1]);
  Log(conf).info("line");
  std::array<char, 256> text{};
  const auto length = ::read(ends[0], text.data(), text.size());
  for (const int end : ends) ::close(end);
  REQUIRE(length > 0);
  CHECK(std::string_view(text.data(), static_cast<std::size_t>(length)).ends_with("] line\n"));
}

TEST_CASE("whoever holds the log's own lock stops no rotation", "[log]") {
  const test::TempDir folder;
  const LogConf conf = restless(folder.file("log"));
  std::filesystem::create_directories(conf.lock_folder);
  Log(conf).info("first");
  const Holder holder(conf.file);
  Log(conf).info("second");
  CHECK(lines_of(conf.file).size() == 1);
  CHECK(lines_of(conf.file + ".1").size() == 1);
}

TEST_CASE("while one command rotates, the others go on writing", "[log]") {
  const test::TempDir folder;
  const LogConf conf = restless(folder.file("log"));
  std::filesystem::create_directories(conf.lock_folder);
  Log(conf).info("first");
  Log(conf).info("second");  // makes the lock
  {
    const Holder holder(conf.lock_folder + "/log.lock");
    Log(conf).info("third");
    CHECK(lines_of(conf.file).size() == 2);
  }
  Log(conf).info("fourth");
  CHECK(lines_of(conf.file).size() == 1);
}

TEST_CASE("a lock that others can replace is none: the log is its own", "[log]") {
  const test::TempDir folder;
  const LogConf conf = restless(folder.file("log"));
  test::write_text(conf.lock_folder + "/log.lock", "");
  SECTION("a folder of everybody's") { open_to_everybody(conf.lock_folder); }
  SECTION("a link") {
    std::filesystem::rename(conf.lock_folder, folder.file("elsewhere"));
    std::filesystem::create_symlink("elsewhere", conf.lock_folder);
  }
  Log(conf).info("first");
  const Holder holder(conf.lock_folder + "/log.lock");
  Log(conf).info("second");
  CHECK(lines_of(conf.file).size() == 1);
}

TEST_CASE("a folder under a backup's name stops no rotation", "[log]") {
  const test::TempDir folder;
  LogConf conf = restless(folder.file("log"));
  conf.max_backups = 2;
  for (const char* suffix : {".1", ".2"})
    std::filesystem::create_directories(conf.file + suffix + "/full");
  SECTION("the first") { std::filesystem::remove_all(conf.file + ".2"); }
  SECTION("the second") { std::filesystem::remove_all(conf.file + ".1"); }
  SECTION("both") {}
  SECTION("the first, and a file is under the second") {
    std::filesystem::remove_all(conf.file + ".2");
    test::write_text(conf.file + ".2", "old");
    test::write_text(conf.file, "newer");
    Log(conf).info("line");
    CHECK(test::read_text(conf.file + ".2") == "newer");
  }
  for (int i = 0; i < 4; ++i) {
    Log(conf).info("line");
    CHECK(lines_of(conf.file).size() == 1);
  }
}

TEST_CASE("many processes rotate one log, and no line is lost", "[log]") {
  const test::TempDir folder;
  LogConf conf = restless(folder.file("log"));
  constexpr unsigned count = 60;
  const std::string characters = "abcd";
  conf.max_backups = 2 * count * static_cast<unsigned>(characters.size());
  std::filesystem::create_directories(conf.lock_folder);
  std::vector<pid_t> children;
  for (const char character : characters) {
    children.push_back(::fork());
    if (children.back() != 0) continue;
    for (unsigned i = 0; i < count; ++i) Log(conf).info(std::string(10, character));
    ::_exit(0);
  }
  for (const pid_t child : children) REQUIRE(::waitpid(child, nullptr, 0) == child);
  std::size_t lines = lines_of(conf.file).size();
  for (unsigned number = 1; test::exists(conf.file + "." + std::to_string(number)); ++number)
    lines += lines_of(conf.file + "." + std::to_string(number)).size();
  CHECK(lines == count * characters.size());
}
