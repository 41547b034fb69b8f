#include "allocator/store/index/boot_mark.hpp"

#include <chrono>
#include <string>
#include <system_error>
#include <vector>

#include "allocator/store/state/run_folder.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/store_world.hpp"

using allocator::store::BootMark;
using allocator::store::BootScanState;
using allocator::store::decode_boot_mark;
using allocator::store::RunFolder;
using test::ip;
using test::ips;

namespace {

const std::string kGeneration = "11111111-aaaa-4bbb-8ccc-000000000001~7~8~4";
const std::string kNextGeneration = "22222222-aaaa-4bbb-8ccc-000000000002~7~8~4";
constexpr bool BootMark::*kFlags[] = {
    &BootMark::has_kernels_boot, &BootMark::is_flushed,  &BootMark::is_unpinned,
    &BootMark::has_set_aside,    &BootMark::has_used,    &BootMark::has_repeats,
    &BootMark::has_unbound,      &BootMark::has_pending, &BootMark::has_index};

/// A run folder that commands open one after the other.
struct Folder {
  RunFolder command(const std::string& generation = kGeneration) {
    RunFolder run(fs, dir.file("run/net"));
    run.read_mark(generation);
    return run;
  }
  test::TempDir dir;
  test::HookedFileSystem fs;
};

}  // namespace

TEST_CASE("a mark is read as it was written", "[mark]") {
  BootMark mark = BootMark::of_new_folder();
  CHECK(encode(mark).empty());
  CHECK(decode_boot_mark("") == mark);
  for (const auto scan :
       {BootScanState::due, BootScanState::files_scanned, BootScanState::live_restored}) {
    for (const auto flag : kFlags) {
      BootMark one = BootMark::of_new_folder();
      one.scan = scan;
      one.*flag = true;
      CHECK(decode_boot_mark(encode(one)) == one);
      mark.*flag = true;
    }
    mark.scan = scan;
    CHECK(decode_boot_mark(encode(mark)) == mark);
  }
}

TEST_CASE("of a mark that is not understood nothing is believed", "[mark]") {
  const std::string words = GENERATE("~", "x", "~scanned~", "~live~later-word", "~Live", "5~live");
  INFO(words);
  CHECK(decode_boot_mark(words) == BootMark());
  CHECK(BootMark().scan == BootScanState::due);
  CHECK_FALSE(BootMark().is_flushed);
  CHECK(BootMark().has_pending);
}

TEST_CASE("in a new folder nothing is, in one without a mark there may be anything", "[mark]") {
  Folder folder;
  CHECK(folder.command().mark() == BootMark::of_new_folder());
  CHECK(folder.command().mark() == BootMark());
  auto run = folder.command();
  CHECK(run.change_mark([](BootMark& mark) { mark.scan = BootScanState::files_scanned; }));
  CHECK(folder.command().mark().scan == BootScanState::files_scanned);
  CHECK(folder.command().mark().has_pending);
  CHECK(folder.command(kNextGeneration).mark() == BootMark());
  CHECK(folder.command("").mark() == BootMark());
}

TEST_CASE("of two commands that change the mark at once neither forgets the other's", "[mark]") {
  Folder folder;
  auto first = folder.command();
  REQUIRE(first.change_mark([](BootMark& mark) { mark.is_flushed = true; }));
  auto one = folder.command();
  auto other = folder.command();
  one.mark_used(ips({"10.0.0.2"}));
  CHECK(other.put_pending({"c1", "eth0"}));
  one.set_kernels_boot();
  one.put_unbound(ip("10.0.0.3"));
  const BootMark mark = folder.command().mark();
  CHECK(mark.is_flushed);
  CHECK(mark.has_used);
  CHECK(mark.has_pending);
  CHECK(mark.has_unbound);
  CHECK(mark.has_kernels_boot);
  CHECK_FALSE(mark.has_repeats);
}

TEST_CASE("what the mark tells of is found by the next command, and only then looked for",
          "[mark]") {
  Folder folder;
  REQUIRE(folder.command().change_mark([](BootMark& mark) { mark.is_flushed = true; }));
  int calls = 0;
  folder.fs.before = [&](const test::Call&) { ++calls; };
  auto run = folder.command();
  calls = 0;
  CHECK_FALSE(run.was_used(ip("10.0.0.2")));
  CHECK_FALSE(run.is_unbound(ip("10.0.0.2")));
  CHECK_FALSE(run.repeat({"c1", "eth0"}));
  CHECK(run.pending().empty());
  CHECK(calls == 0);
  run.mark_used(ips({"10.0.0.2"}));
  run.put_unbound(ip("10.0.0.2"));
  run.put_repeat({"c1", "eth0"}, "12:34");
  CHECK(run.put_pending({"c1", "eth0"}));
  auto next = folder.command();
  CHECK(next.was_used(ip("10.0.0.2")));
  CHECK(next.is_unbound(ip("10.0.0.2")));
  CHECK(next.repeat({"c1", "eth0"}) == "12:34");
  CHECK(next.pending().size() == 1);
}

TEST_CASE("the mark is read again and changed under a lock of its own", "[mark]") {
  Folder folder;
  REQUIRE(folder.command().change_mark([](BootMark& mark) { mark.is_flushed = true; }));
  auto run = folder.command();
  allocator::store::PosixFileSystem other;
  const auto same = other.open_directory(folder.dir.file("run/net"));
  REQUIRE(same.has_value());
  std::vector<std::string> held;
  folder.fs.before = [&](const test::Call& call) {
    const bool is_free =
        other.lock(same->fd, std::chrono::milliseconds(0)) == allocator::store::LockResult::locked;
    if (is_free) other.unlock(same->fd);
    if (!is_free) held.push_back(call.method);
  };
  run.mark_used(ips({"10.0.0.2"}));
  CHECK(held == std::vector<std::string>{"read_link", "make_link", "rename", "unlock_folder"});
}

TEST_CASE("a flush that others have told of meanwhile is forgotten, too", "[mark]") {
  Folder folder;
  REQUIRE(folder.command().change_mark([](BootMark& mark) { mark.has_used = true; }));
  auto run = folder.command();
  REQUIRE(folder.command().change_mark([](BootMark& mark) { mark.is_flushed = true; }));
  CHECK_FALSE(run.mark().is_flushed);
  run.forget_records();
  CHECK_FALSE(folder.command().mark().is_flushed);
  CHECK(folder.command().mark().has_used);
}

TEST_CASE("what the mark could not be told of is looked for all the same", "[mark]") {
  Folder folder;
  REQUIRE(folder.command().change_mark([](BootMark& mark) { mark.is_flushed = true; }));
  const std::string failing = GENERATE("make_link", "rename", "lock_folder");
  auto run = folder.command();
  folder.fs.before = [&](const test::Call& call) {
    const bool is_marks = call.method != "make_link" || call.subject.starts_with("scan");
    if (call.method == failing && is_marks)
      throw std::system_error(ENOSPC, std::generic_category(), call.method);
  };
  INFO(failing);
  run.mark_used(ips({"10.0.0.2"}));
  run.put_unbound(ip("10.0.0.2"));
  run.put_repeat({"c1", "eth0"}, "12:34");
  folder.fs.before = [](const test::Call&) {};
  auto next = folder.command();
  CHECK(next.was_used(ip("10.0.0.2")));
  CHECK(next.is_unbound(ip("10.0.0.2")));
  CHECK(next.repeat({"c1", "eth0"}) == "12:34");
}

TEST_CASE("what cannot be read is no missing mark, not even in a new folder", "[mark]") {
  Folder folder;
  RunFolder made(folder.fs, folder.dir.file("run/net"));
  REQUIRE(made.is_new());
  auto other = folder.command();
  REQUIRE(other.put_pending({"c1", "eth0"}));
  folder.fs.before = [](const test::Call& call) {
    if (call.method == "read_link") throw std::system_error(EIO, std::generic_category(), "read");
  };
  made.read_mark(kGeneration);
  folder.fs.before = [](const test::Call&) {};
  CHECK(made.pending().size() == 1);
}

TEST_CASE("a release that the mark cannot tell of is not said to be pending", "[mark]") {
  Folder folder;
  REQUIRE(folder.command().change_mark([](BootMark& mark) { mark.is_flushed = true; }));
  auto run = folder.command();
  folder.fs.before = [](const test::Call& call) {
    if (call.method == "make_link" && call.subject.starts_with("scan"))
      throw std::system_error(ENOSPC, std::generic_category(), "symlink");
  };
  CHECK_FALSE(run.put_pending({"c1", "eth0"}));
}

TEST_CASE("a mark is replaced, never missing in between", "[mark]") {
  Folder folder;
  REQUIRE(folder.command().change_mark([](BootMark& mark) { mark.is_flushed = true; }));
  auto run = folder.command();
  int seen = 0;
  folder.fs.before = [&](const test::Call& call) {
    if (call.method == "unlink" && call.subject == "scan") FAIL("the mark was removed");
    seen += static_cast<int>(call.method == "rename");
  };
  REQUIRE(run.change_mark([](BootMark& mark) { mark.has_used = true; }));
  CHECK(seen == 1);
}
