// A file system that can only be read, and a copy of another machine's folders whose links stay
// inside it.
#include "allocator/store/survey/reading_file_system.hpp"

#include <cerrno>
#include <functional>
#include <system_error>

#include "allocator/store/disk/posix_file_system.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/temp_dir.hpp"

using allocator::store::Directory;
using allocator::store::Fd;
using allocator::store::PosixFileSystem;
using allocator::store::ReadingFileSystem;
using test::TempDir;
using test::write_text;

namespace {

int errno_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const std::system_error& error) {
    return error.code().value();
  }
  return 0;
}

}  // namespace

TEST_CASE("whatever would change something is refused", "[reading]") {
  const TempDir dir;
  write_text(dir.file("file"), "text");
  PosixFileSystem posix;
  ReadingFileSystem fs(posix, "");
  const auto folder = fs.open_directory(dir.path());
  REQUIRE(folder);
  const auto file = fs.open_file(*folder, "file");
  REQUIRE(file);
  const std::vector<std::function<void()>> changes = {
      [&] { fs.make_directory(dir.file("new"), 0700); },
      [&] { static_cast<void>(fs.create_file(*folder, "new", 0600)); },
      [&] { fs.write_all(*file, "x", "file"); },
      [&] { fs.set_attribute(*file, "user.x", "x", "file"); },
      [&] { fs.link_file(*file, *folder, "new"); },
      [&] { fs.unlink(*folder, "file"); },
      [&] { fs.make_link("x", *folder, "new"); },
      [&] { fs.rename(*folder, "file", "new"); },
      [&] { fs.write_in_place(*folder, "file", "x", 0600); },
      [&] { fs.set_modified(*file, 0, "file"); },
      [&] { static_cast<void>(fs.map_file(*folder, "file", 4096)); },
      [&] { static_cast<void>(fs.map_new_file(*folder, "new", 4096, 0600)); },
      [&] { fs.sync(*file, "file"); },
      [&] { static_cast<void>(fs.open_lock(*folder, "new", 0600)); },
  };
  for (const auto& change : changes) CHECK(errno_of(change) == EROFS);
  CHECK(test::contents_of(dir.path()) == std::map<std::string, std::string>{{"file", "text"}});
}

TEST_CASE("the links of a copy are looked up inside it", "[reading]") {
  const TempDir dir;
  write_text(dir.file("outside/secret"), "outside");
  write_text(dir.file("copy/mnt/data/file"), "inside");
  namespace files = std::filesystem;
  files::create_directory_symlink("/mnt/data", dir.file("copy/absolute"));
  files::create_directory_symlink("../outside", dir.file("copy/up"));
  files::create_directory_symlink(dir.file("outside"), dir.file("copy/away"));
  files::create_symlink("/mnt/data/file", dir.file("copy/link"));
  files::create_symlink("target", dir.file("outside/record"));
  PosixFileSystem posix;
  ReadingFileSystem fs(posix, dir.file("copy"));
  CHECK(fs.has_root());
  CHECK(fs.read_regular("/absolute/file", 100) == "inside");
  CHECK(fs.read_regular("/link", 100) == "inside");
  CHECK(fs.read_regular("/../mnt/data/file", 3) == "ins");
  CHECK(fs.list(*fs.open_directory("/absolute")) == std::vector<std::string>{"file"});
  CHECK_FALSE(fs.open_directory("/up"));
  CHECK_FALSE(fs.open_directory("/away"));
  CHECK(errno_of([&] { static_cast<void>(fs.read_regular("/up/secret", 100)); }) == ENOENT);
  const auto top = fs.open_directory("/");
  REQUIRE(top);
  CHECK_FALSE(fs.read_link(*top, "up/record"));
  CHECK(fs.read_link(*top, "up") == "../outside");
  CHECK(fs.is_writable("/mnt") == true);
  CHECK_FALSE(fs.is_writable("/nowhere"));
}

TEST_CASE("a copy has neither processes nor namespaces", "[reading]") {
  const TempDir dir;
  PosixFileSystem posix;
  ReadingFileSystem fs(posix, dir.path());
  CHECK(fs.pid_namespace() == 0);
  CHECK_FALSE(fs.network_namespace("/proc/self/ns/net"));
  CHECK_FALSE(fs.is_on_proc("/proc/sys/kernel/random/boot_id"));
  CHECK(errno_of([&] { const ReadingFileSystem none(posix, dir.file("none")); }) == ENOENT);
}
