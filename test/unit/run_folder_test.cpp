#include "allocator/store/state/run_folder.hpp"

#include <chrono>
#include <csignal>
#include <future>
#include <string>
#include <thread>

#include "allocator/store/alive/late_add.hpp"
#include "allocator/store/state/call_start.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/store_world.hpp"

using allocator::store::FileIdentity;
using allocator::store::FileKind;
using allocator::store::LockResult;
using allocator::store::RunFolder;

namespace {

FileIdentity folder_of(std::uint64_t inode) {
  FileIdentity identity{};
  identity.device = 7;
  identity.inode = inode;
  identity.kind = FileKind::directory;
  return identity;
}

const FileIdentity kFolder = folder_of(42);

std::uint64_t none() { return 0; }

}  // namespace

TEST_CASE("a boot is marked for one boot_id and one folder", "[runtime]") {
  test::TempDir dir;
  allocator::store::PosixFileSystem fs;
  RunFolder run(fs, dir.path(), kFolder);
  CHECK_FALSE(run.is_flushed("boot-1"));
  run.mark_flushed("boot-1");
  CHECK(run.is_flushed("boot-1"));
  CHECK_FALSE(run.is_flushed("boot-2"));
  CHECK_FALSE(run.is_flushed(""));
  run.mark_flushed("boot-2");
  CHECK(run.is_flushed("boot-2"));
  CHECK_FALSE(RunFolder(fs, dir.path(), folder_of(43)).is_flushed("boot-2"));
  CHECK(test::exists(dir.file("7:42")));
}

TEST_CASE("sequence numbers grow, and start behind the records when the counter is gone",
          "[runtime]") {
  test::TempDir dir;
  allocator::store::PosixFileSystem fs;
  RunFolder run(fs, dir.path(), kFolder);
  CHECK(run.next_sequence(none) == 1);
  CHECK(run.next_sequence(none) == 2);
  std::filesystem::remove(dir.file("7:42/sequence"));
  CHECK(run.next_sequence([] { return std::uint64_t{40}; }) == 41);
  CHECK(RunFolder(fs, dir.path(), kFolder).next_sequence(none) == 42);
}

TEST_CASE("a counter that is no number is not believed", "[runtime]") {
  const std::string damage = GENERATE("", " 5", "5\n", "-5", "5x", "99999999999999999999999");
  test::TempDir dir;
  std::filesystem::create_directories(dir.file("7:42"));
  SECTION("a link") {
    if (!damage.empty()) std::filesystem::create_symlink(damage, dir.file("7:42/sequence"));
  }
  SECTION("a file, as earlier versions kept it") {
    test::write_text(dir.file("7:42/sequence"), damage);
  }
  allocator::store::PosixFileSystem fs;
  RunFolder run(fs, dir.path(), kFolder);
  INFO("counter " << damage);
  CHECK(run.next_sequence([] { return std::uint64_t{40}; }) == 41);
}

TEST_CASE("the counter tells the releases of a boot from those before", "[runtime]") {
  test::TempDir dir;
  allocator::store::PosixFileSystem fs;
  RunFolder run(fs, dir.path(), kFolder);
  run.set_boot("boot-1");
  CHECK_FALSE(run.sequence_before_boot());
  CHECK(run.next_sequence([] { return std::uint64_t{40}; }) == 41);
  CHECK(run.next_sequence(none) == 42);
  CHECK(run.sequence_before_boot() == 40);
  SECTION("an object that does not know its boot believes no other's") {
    CHECK_FALSE(RunFolder(fs, dir.path(), kFolder).sequence_before_boot());
  }
  SECTION("/run survived the boot: the numbers go on, and what was before is another") {
    RunFolder next(fs, dir.path(), kFolder);
    next.set_boot("boot-2");
    CHECK_FALSE(next.sequence_before_boot());
    CHECK(next.next_sequence(none) == 43);
    CHECK(next.sequence_before_boot() == 42);
  }
  SECTION("an earlier version wrote the number alone") {
    std::filesystem::remove(dir.file("7:42/sequence"));
    std::filesystem::create_symlink("50", dir.file("7:42/sequence"));
    CHECK_FALSE(run.sequence_before_boot());
    CHECK(run.next_sequence(none) == 51);
    CHECK(run.sequence_before_boot() == 50);
  }
}

TEST_CASE("whose binding ended is remembered for this boot, the last one of an address",
          "[runtime]") {
  test::TempDir dir;
  allocator::store::PosixFileSystem fs;
  RunFolder run(fs, dir.path(), kFolder);
  run.set_boot("boot-1");
  CHECK(run.evicted().empty());
  const allocator::Binding held{test::pod("web-0"), "uid", 3, 1, "boot-0"};
  const allocator::Binding in_use{test::pod("web-1"), "", 0, 0, "boot-0"};
  const allocator::Binding released{test::pod("web-2"), "", 42, 0, "boot-0"};
  run.put_evicted(test::ip("10.1.0.2"), held);
  run.put_evicted(test::ip("10.1.0.2"), in_use);
  run.put_evicted(test::ip("fd00::2"), held);
  CHECK(run.next_sequence([] { return std::uint64_t{41}; }) == 42);
  run.put_evicted(test::ip("fd00::3"), released);
  auto found = run.evicted();
  std::sort(found.begin(), found.end(),
            [](const auto& left, const auto& right) { return left.address < right.address; });
  REQUIRE(found.size() == 3);
  CHECK(found[0] == allocator::store::Evicted{test::ip("10.1.0.2"), in_use, true});
  CHECK(found[1] == allocator::store::Evicted{test::ip("fd00::2"), held, false});
  CHECK(found[2] == allocator::store::Evicted{test::ip("fd00::3"), released, true});
  run.set_boot("boot-2");
  CHECK(run.evicted().empty());
}

TEST_CASE("a folder that cannot be made is a folder that knows nothing", "[runtime]") {
  test::TempDir dir;
  test::write_text(dir.file("run"), "in the way");
  allocator::store::PosixFileSystem fs;
  RunFolder run(fs, dir.file("run"), kFolder);
  run.mark_flushed("boot-1");
  CHECK_FALSE(run.is_flushed("boot-1"));
  CHECK(run.next_sequence([] { return std::uint64_t{40}; }) == 41);
}

TEST_CASE("a counter that cannot be written is forgotten, and the records count", "[runtime]") {
  test::TempDir dir;
  test::HookedFileSystem fs;
  RunFolder run(fs, dir.path(), kFolder);
  CHECK(run.next_sequence(none) == 1);
  fs.before = [](const test::Call& call) {
    if (call.method == "make_link") {
      throw std::system_error(ENOSPC, std::generic_category(), "symlink");
    }
  };
  CHECK(run.next_sequence(none) == 2);
  CHECK_FALSE(test::exists(dir.file("7:42/sequence")));
  CHECK(run.next_sequence([] { return std::uint64_t{2}; }) == 3);
}

TEST_CASE("a tombstone is found by its attachment only", "[runtime]") {
  test::TempDir dir;
  allocator::store::PosixFileSystem fs;
  RunFolder run(fs, dir.path(), kFolder);
  CHECK_FALSE(run.tombstone({"c1", "eth0"}).has_value());
  run.put_tombstone({"c1", "eth0"}, 5);
  run.put_tombstone({"c1", "eth0"}, 7);
  CHECK(run.tombstone({"c1", "eth0"}) == std::uint64_t{7});
  CHECK_FALSE(run.tombstone({"c1", "eth1"}).has_value());
  run.remove_tombstone({"c1", "eth0"});
  CHECK_FALSE(run.tombstone({"c1", "eth0"}).has_value());
}

TEST_CASE("what ends with a boot is not found in the next one, though /run is kept", "[runtime]") {
  test::TempDir dir;
  allocator::store::PosixFileSystem fs;
  RunFolder before(fs, dir.path(), kFolder);
  before.set_boot("boot-1");
  before.put_tombstone({"c1", "eth0"}, 5);
  before.put_repeat({"c1", "eth0"}, "12:34");
  CHECK(before.tombstone({"c1", "eth0"}) == std::uint64_t{5});
  CHECK(before.repeat({"c1", "eth0"}) == "12:34");
  RunFolder after(fs, dir.path(), kFolder);
  after.set_boot("boot-2");
  CHECK_FALSE(after.tombstone({"c1", "eth0"}).has_value());
  CHECK_FALSE(after.repeat({"c1", "eth0"}).has_value());
  SECTION("unless nobody knows which boot it is") {
    RunFolder unknown(fs, dir.path(), kFolder);
    CHECK(unknown.tombstone({"c1", "eth0"}) == std::uint64_t{5});
    CHECK(unknown.repeat({"c1", "eth0"}) == "12:34");
    unknown.put_tombstone({"c2", "eth0"}, 6);
    CHECK(after.tombstone({"c2", "eth0"}) == std::uint64_t{6});
  }
}

TEST_CASE("a tombstone of an earlier version that lies in the future is of another boot",
          "[runtime]") {
  test::TempDir dir;
  allocator::store::PosixFileSystem fs;
  RunFolder run(fs, dir.path(), kFolder);
  const auto now = allocator::store::boottime_now();
  constexpr std::uint64_t hour = 3'600'000'000'000;
  run.put_tombstone({"c1", "eth0"}, now + hour);
  CHECK_NOTHROW(refuse_late_add(fs, run, {"c1", "eth0"}, "reserve"));
  // A process counts as younger than whatever happened in the clock tick that it began in.
  auto later = now;
  while (allocator::store::began_after(fs, "c1", later)) later = allocator::store::boottime_now();
  run.put_tombstone({"c1", "eth0"}, later);
  CHECK_THROWS_AS(refuse_late_add(fs, run, {"c1", "eth0"}, "reserve"),
                  allocator::store::DeletedMeanwhile);
}

TEST_CASE("a /run is marked once", "[runtime]") {
  test::TempDir dir;
  allocator::store::PosixFileSystem fs;
  RunFolder run(fs, dir.path(), kFolder);
  CHECK(run.mark_of_run([] { return "1-2"; }) == "1-2");
  CHECK(RunFolder(fs, dir.path(), kFolder).mark_of_run([] { return "3-4"; }) == "1-2");
  std::filesystem::remove_all(dir.file("7:42"));
  CHECK(RunFolder(fs, dir.path(), kFolder).mark_of_run([] { return "3-4"; }) == "3-4");
  test::write_text(dir.file("blocked"), "in the way");
  CHECK(RunFolder(fs, dir.file("blocked"), kFolder).mark_of_run([] { return "1-2"; }).empty());
}

TEST_CASE("tombstones are bounded in number, and none is kept for over ten minutes", "[runtime]") {
  test::TempDir dir;
  allocator::store::PosixFileSystem fs;
  RunFolder run(fs, dir.path(), kFolder);
  const auto count = [&] {
    return std::distance(std::filesystem::directory_iterator(dir.file("7:42/tombs")), {});
  };
  constexpr std::uint64_t start = 1'000'000'000'000;
  for (int i = 0; i < 6000; ++i) {
    run.put_tombstone({"c" + std::to_string(i), "eth0"}, start + static_cast<unsigned>(i));
  }
  CHECK(count() < 5000);
  CHECK(run.tombstone({"c5999", "eth0"}).has_value());
  for (int i = 0; i < 600; ++i) {
    run.put_tombstone({"d" + std::to_string(i), "eth0"}, start + 2 * allocator::store::kLongestAdd);
  }
  CHECK(count() <= 600);
}

TEST_CASE("a pending release is remembered until it is done", "[runtime]") {
  test::TempDir dir;
  allocator::store::PosixFileSystem fs;
  RunFolder run(fs, dir.path(), kFolder);
  CHECK(run.pending().empty());
  CHECK(run.put_pending({"c1", "eth0"}));
  CHECK(run.is_pending({"c1", "eth0"}));
  CHECK_FALSE(run.is_pending({"c2", "eth0"}));
  REQUIRE(run.pending().size() == 1);
  CHECK(run.pending().front() == allocator::Attachment{"c1", "eth0"});
  run.remove_pending({"c1", "eth0"});
  CHECK(run.pending().empty());
  std::filesystem::remove_all(dir.file("7:42"));
  test::write_text(dir.file("blocked"), "in the way");
  CHECK_FALSE(RunFolder(fs, dir.file("blocked"), kFolder).put_pending({"c1", "eth0"}));
}

TEST_CASE("a lock without patience is not waited for", "[lock]") {
  test::TempDir dir;
  allocator::store::PosixFileSystem fs;
  auto folder = fs.open_directory(dir.path());
  REQUIRE(folder.has_value());
  CHECK_FALSE(fs.open_lock(*folder, "lock", std::nullopt).has_value());
  const auto held = *fs.open_lock(*folder, "lock", 0600);
  REQUIRE(fs.lock(held, std::chrono::seconds(1)) == LockResult::locked);
  // Whoever waits all the same is let go in the end, so that a mistake shows and does not hang.
  sigset_t alarm;
  sigset_t old;
  sigemptyset(&alarm);
  sigaddset(&alarm, SIGALRM);
  pthread_sigmask(SIG_BLOCK, &alarm, &old);
  std::promise<void> answered;
  std::thread rescuer([&] {
    const auto state = answered.get_future().wait_for(std::chrono::seconds(3));
    if (state != std::future_status::ready) fs.unlock(held);
  });
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  const auto patience = std::chrono::milliseconds(GENERATE(0, 1, 20));
  const auto waiting = *fs.open_lock(*folder, "lock", std::nullopt);
  const auto result = fs.lock(waiting, patience);
  answered.set_value();
  rescuer.join();
  CHECK(result == LockResult::timed_out);
}
