// Addresses that a main plugin refuses: what the choice makes of them, and how they are remembered.
#include "allocator/store/state/set_aside.hpp"

#include <string>

#include "allocator/store/repeat.hpp"
#include "allocator/store/state/call_start.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/memory_snapshot.hpp"
#include "test/unit/support/store_world.hpp"

using allocator::Attachment;
using allocator::Wish;
using allocator::store::BootMark;
using allocator::store::RunFolder;
using allocator::store::SetAsides;
using test::ip;
using test::ips;
using test::MemorySnapshot;
using test::outcome;
using test::pod;
using test::sets_of;
using test::StoreWorld;

namespace {

constexpr auto kLive = allocator::store::BootScanState::live_restored;
constexpr const char* kGeneration = "11111111-aaaa-4bbb-8ccc-000000000001~7~8";

Wish of_pod(const std::string& name, std::vector<allocator::Address> bound = {}) {
  Wish wish;
  wish.pod = pod(name);
  wish.bound = std::move(bound);
  return wish;
}

/// A run folder whose boot scan is done.
struct Folder {
  Folder() {
    REQUIRE(run().change_mark([](BootMark& mark) { mark.scan = kLive; }));
  }
  RunFolder& run() {
    current.emplace(world.fs, world.options.run_dir + "/net");
    current->read_mark(kGeneration);
    return *current;
  }
  StoreWorld world;
  std::optional<RunFolder> current;
  std::vector<std::string> notes;
};

const Attachment kOld = {"old", "eth0"};

}  // namespace

TEST_CASE("an address that is set aside is passed over by every step of the choice", "[choose]") {
  const auto sets = sets_of({"10.0.0.0/29"});  // .2 to .6
  MemorySnapshot snapshot;
  SECTION("the pod's own: round robin instead") {
    snapshot.bind("10.0.0.2", pod("web"), 1).put_aside("10.0.0.2");
    CHECK(outcome(choose(sets, {}, of_pod("web", ips({"10.0.0.2"})), snapshot)) ==
          "10.0.0.3 round robin");
  }
  SECTION("the pod's own: the next one that it is bound to") {
    snapshot.bind("10.0.0.2", pod("web"), 1).put_aside("10.0.0.2").bind("10.0.0.4", pod("web"), 2);
    CHECK(outcome(choose(sets, {}, of_pod("web", ips({"10.0.0.2", "10.0.0.4"})), snapshot)) ==
          "10.0.0.4 held");
  }
  SECTION("a free one") {
    snapshot.put_aside("10.0.0.2");
    CHECK(outcome(choose(sets, {}, of_pod("web"), snapshot)) == "10.0.0.3 round robin");
  }
  SECTION("one that is held longest") {
    for (const char* used : {"10.0.0.2", "10.0.0.3", "10.0.0.4"}) snapshot.use(used);
    snapshot.bind("10.0.0.5", pod("db"), 1).bind("10.0.0.6", pod("db"), 2).put_aside("10.0.0.5");
    CHECK(outcome(choose(sets, {}, of_pod("web"), snapshot)) == "10.0.0.6 evicted");
  }
  SECTION("a dead one's") {
    for (const char* used : {"10.0.0.2", "10.0.0.3", "10.0.0.4"}) snapshot.use(used);
    snapshot.dead("10.0.0.5").dead("10.0.0.6").put_aside("10.0.0.5");
    CHECK(outcome(choose(sets, {}, of_pod("web"), snapshot)) == "10.0.0.6 reclaimed");
  }
}

TEST_CASE("an address that is set aside is the last resort", "[choose]") {
  const auto sets = sets_of({"10.0.0.0/30"});  // .2 only
  MemorySnapshot snapshot;
  snapshot.bind("10.0.0.2", pod("web"), 1).put_aside("10.0.0.2");
  CHECK(outcome(choose(sets, {}, of_pod("web", ips({"10.0.0.2"})), snapshot)) == "10.0.0.2 held");
  const auto stranger = choose(sets, {}, of_pod("db"), snapshot);
  CHECK(outcome(stranger) == "10.0.0.2 evicted");
  CHECK(stranger.picks.front().evicted->pod == pod("web"));
  SECTION("but not while somebody uses it") {
    snapshot.use("10.0.0.2");
    CHECK(test::contains(outcome(choose(sets, {}, of_pod("db"), snapshot)), "no IP addresses"));
  }
  SECTION("nor when it is somebody's pin, or excluded") {
    const allocator::Reservations pinned{{}, {test::pin("other", "10.0.0.2")}};
    const allocator::Reservations excluded{{test::span("10.0.0.2", "10.0.0.2")}, {}};
    for (const auto& reservations : {pinned, excluded}) {
      CHECK(test::contains(outcome(choose(sets, reservations, of_pod("db"), snapshot)),
                           "no IP addresses"));
    }
  }
}

TEST_CASE("pins and requests are given although they are set aside", "[choose]") {
  const auto sets = sets_of({"10.0.0.0/29"});
  MemorySnapshot snapshot;
  snapshot.put_aside("10.0.0.4");
  const allocator::Reservations reservations{{}, {test::pin("web", "10.0.0.4")}};
  CHECK(outcome(choose(sets, reservations, of_pod("web"), snapshot)) == "10.0.0.4 pin");
  Wish wish = of_pod("db");
  wish.requested = ips({"10.0.0.4"});
  CHECK(outcome(choose(sets, {}, wish, snapshot)) == "10.0.0.4 requested");
}

TEST_CASE("what is set aside lasts until the old attachment's DEL, over commands", "[set-aside]") {
  Folder folder;
  CHECK_FALSE(folder.run().mark().has_set_aside);
  SetAsides(folder.run(), kGeneration).put({{ip("10.0.0.2"), kOld}}, folder.notes);
  REQUIRE(folder.notes.size() == 1);
  CHECK(test::contains(folder.notes.front(), "10.0.0.2, taken over from old"));
  CHECK(folder.run().mark().has_set_aside);
  CHECK(folder.run().mark().scan == kLive);
  CHECK(SetAsides(folder.run(), kGeneration).refused() == ips({"10.0.0.2"}));
  SetAsides(folder.run(), kGeneration).end({"other", "eth0"});
  CHECK(SetAsides(folder.run(), kGeneration).is_refused(ip("10.0.0.2")));
  SetAsides(folder.run(), kGeneration).end(kOld);
  SetAsides ended(folder.run(), kGeneration);
  CHECK_FALSE(ended.is_refused(ip("10.0.0.2")));
  CHECK(ended.is_due_back(ip("10.0.0.2")));
  CHECK(ended.take(ip("10.0.0.2")).empty());
  CHECK_FALSE(SetAsides(folder.run(), kGeneration).is_due_back(ip("10.0.0.2")));
}

TEST_CASE("an address whose old attachment's DEL has come is not set aside", "[set-aside]") {
  Folder folder;
  folder.run().put_tombstone(kOld, allocator::store::boottime_now());
  SetAsides(folder.run(), kGeneration).put({{ip("10.0.0.2"), kOld}}, folder.notes);
  CHECK(folder.notes.empty());
  CHECK_FALSE(folder.run().mark().has_set_aside);
}

TEST_CASE("an address that is given out again while it is aside is as if taken over once more",
          "[set-aside]") {
  Folder folder;
  SetAsides asides(folder.run(), kGeneration);
  asides.put({{ip("10.0.0.2"), kOld}}, folder.notes);
  CHECK(asides.take(ip("10.0.0.3")).empty());
  const auto taken = asides.take(ip("10.0.0.2"));
  REQUIRE(taken.size() == 1);
  CHECK(taken.front().old == kOld);
  CHECK(asides.refused().empty());
}

TEST_CASE("what another generation set aside is nothing", "[set-aside]") {
  Folder folder;
  SetAsides(folder.run(), kGeneration).put({{ip("10.0.0.2"), kOld}}, folder.notes);
  const std::string next = "22222222-aaaa-4bbb-8ccc-000000000002~7~8";
  auto& run = folder.run();
  run.read_mark(next);
  CHECK(run.mark().scan == allocator::store::BootScanState::due);
  CHECK(SetAsides(run, next).refused().empty());
  SetAsides(run, next).put({{ip("10.0.0.3"), kOld}}, folder.notes);
  CHECK(SetAsides(run, next).refused() == ips({"10.0.0.3"}));
}

TEST_CASE("what a run delegate's DEL sets aside is seen by the built-in allocator", "[set-aside]") {
  Folder folder;
  RunFolder delegates(folder.world.fs, folder.world.options.run_dir + "/net");
  SetAsides(delegates, kGeneration).put({{ip("10.0.0.2"), kOld}}, folder.notes);
  CHECK(SetAsides(folder.run(), kGeneration).refused() == ips({"10.0.0.2"}));
}

TEST_CASE("a takeover is remembered for the DEL that takes it back only", "[set-aside]") {
  Folder folder;
  const Attachment taker = {"new", "eth0"};
  using allocator::store::look_for_take_back;
  using allocator::store::remember_answer;
  remember_answer(folder.world.fs, folder.run(), taker, {}, {{ip("fd00::2"), {"o~,l d", "e"}}});
  folder.world.fs.redirections = {{"/proc", folder.world.options.state_dir}};  // nobody above
  const auto ordinary = look_for_take_back(folder.world.fs, folder.run(), taker, folder.notes);
  CHECK(ordinary.taken_over.empty());
  CHECK_FALSE(ordinary.is_repeat);
  CHECK_FALSE(folder.run().repeat(taker));
}
