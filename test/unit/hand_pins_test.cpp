// What an operator pins by hand: a list among the records, which every ADD reads.
#include <algorithm>
#include <string>

#include "test/unit/catch.hpp"
#include "test/unit/support/faults.hpp"
#include "test/unit/support/store_world.hpp"

using allocator::Pin;
using test::ArmedFault;
using test::contents_of;
using test::Fault;
using test::ip;
using test::kSecondBoot;
using test::Mode;
using test::StoreWorld;

namespace {

using Pins = std::vector<Pin>;

Pin pin_of(const std::string& pod_name, const std::string& address) {
  return {test::pod(pod_name).pod_namespace, pod_name, ip(address)};
}

Pins pins_in(StoreWorld& world) {
  auto records =
      test::store::RecordFolder::open(world.fs, world.options.state_dir, world.options.network_dir);
  return records ? records->pins() : Pins();
}

}  // namespace

TEST_CASE("pins by hand: nobody else gets the address, its pod does", "[hand][pins]") {
  StoreWorld world;
  CHECK(world.leases().pin({pin_of("web", "10.0.0.2"), pin_of("db", "10.0.0.4")}).empty());
  CHECK(world.add("c1") == "10.0.0.3");
  CHECK(world.add("c2", "web") == "10.0.0.2");
  CHECK(world.add("c3", "other") == "10.0.0.5");
  SECTION("in this boot") {}
  SECTION("and in the next") { world.boot(kSecondBoot); }
  CHECK(world.add("c4", "db") == "10.0.0.4");
}

TEST_CASE("pins by hand: a pod that had the address leaves it at its next ADD", "[hand][pins]") {
  StoreWorld world;
  CHECK(world.add("c1", "web") == "10.0.0.2");
  world.leases().pin({pin_of("db", "10.0.0.2")});
  CHECK(test::failure_of([&] { world.add("c2", "db"); }).find("10.0.0.2") != std::string::npos);
  world.release("c1");
  CHECK(world.add("c3", "web") == "10.0.0.3");
  CHECK(world.add("c4", "db") == "10.0.0.2");
}

TEST_CASE("pins by hand: what is configured has the first word", "[hand][pins]") {
  StoreWorld world;
  world.leases().pin({pin_of("web", "10.0.0.3"), pin_of("web", "10.0.0.2")});
  world.reservations.pins = {pin_of("db", "10.0.0.2")};
  CHECK(world.add("c1", "web") == "10.0.0.3");
  CHECK(world.add("c2", "db") == "10.0.0.2");
}

TEST_CASE("pins by hand: one address is one pod's", "[hand][pins]") {
  StoreWorld world;
  const Pin web = pin_of("web", "10.0.0.2");
  world.leases().pin({web});
  const Pins others = {pin_of("db", "10.0.0.3"), pin_of("db", "10.0.0.2")};
  CHECK(world.leases().pin(others) == Pins{others.back()});
  CHECK(pins_in(world) == Pins{web});
  CHECK(world.leases().pin({web}).empty());
  CHECK(pins_in(world) == Pins{web});
}

TEST_CASE("pins by hand: what is taken away leaves no record", "[hand][pins]") {
  StoreWorld world;
  const Pins pins = {pin_of("web", "10.0.0.2"), pin_of("db", "10.0.0.3")};
  world.leases().pin(pins);
  world.leases().unpin({pin_of("web", "10.0.0.3"), pins[0]});
  CHECK(pins_in(world) == Pins{pins[1]});
  world.leases().unpin(pins);
  CHECK(world.records().empty());
  CHECK(world.add("c1") == "10.0.0.2");
}

TEST_CASE("pins by hand: long lists and odd names", "[hand][pins]") {
  StoreWorld world(test::sets_of({"10.0.0.0/20"}));
  Pins pins = {{"a~b,c", "d=e/f*", ip("fd00::1")}};
  for (int i = 2; i < 250; ++i)
    pins.push_back({"namespace", "pod-" + std::to_string(i), ip("10.0.1." + std::to_string(i))});
  world.leases().pin(pins);
  CHECK(pins_in(world) == pins);
  for (const auto& [name, target] : world.records()) CHECK(target.size() <= 1000);
  world.leases().unpin({pins.begin() + 1, pins.end()});
  CHECK(pins_in(world) == Pins{pins.front()});
  CHECK(world.records().size() == 1);
}

TEST_CASE("pins by hand: a list that cannot be read keeps no pod from coming up", "[hand][pins]") {
  StoreWorld world;
  world.add("c1", "db");
  const std::string path = world.record_dir() + "/pins";
  SECTION("a newer version's") { std::filesystem::create_symlink("2~what", path); }
  SECTION("a part of it is gone") {
    std::filesystem::create_symlink("1~*0123456789abcdef.2", path);
  }
  SECTION("nonsense") { std::filesystem::create_symlink("1~a/b,=,default/web=10.0.0.300", path); }
  const auto before = contents_of(world.record_dir()).at("pins");
  CHECK(world.add("c2", "web") == "10.0.0.3");
  CHECK(contents_of(world.record_dir()).at("pins") == before);
}

TEST_CASE("pins by hand: where there are none, only the first ADD of a boot looks",
          "[hand][pins]") {
  StoreWorld world;
  int looks = 0;
  world.fs.before = [&](const test::Call& call) {
    looks += call.method == "read_link" && call.subject == "pins" ? 1 : 0;
  };
  world.add("c1", "web");
  world.boot(kSecondBoot);
  world.add("c2", "db");
  looks = 0;
  CHECK(world.add("c3", "other") == "10.0.0.4");
  CHECK(looks == 0);
  world.leases().pin({pin_of("new", "10.0.0.5")});
  CHECK(world.add("c4", "last") == "10.0.0.6");
  SECTION("and when the last one is taken away, they are looked for in this boot") {
    world.leases().unpin({pin_of("new", "10.0.0.5")});
    looks = 0;
    CHECK(world.add("c5", "more") == "10.0.0.5");
    CHECK(looks == 1);
  }
  SECTION("without /run") {
    std::filesystem::remove_all(world.options.run_dir);
    CHECK(world.add("c5", "new") == "10.0.0.5");
  }
}

TEST_CASE("pins by hand: without retention there are none", "[hand][pins]") {
  StoreWorld world;
  world.options.retention = test::store::Retention::off;
  CHECK(world.leases().pin({pin_of("web", "10.0.0.2")}).empty());
  CHECK_FALSE(std::filesystem::exists(world.record_dir()));
}

TEST_CASE("pins by hand: a call that fails leaves the old list or the new one", "[hand][pins]") {
  const Mode mode = GENERATE(Mode::fails, Mode::crashes);
  const Pins old = {pin_of("web", "10.0.0.2")};
  const Pins both = {old[0], pin_of("db", "10.0.0.3")};
  for (int at = 1;; ++at) {
    REQUIRE(at < test::kManyCalls);
    StoreWorld world;
    world.leases().pin(old);
    world.boot(kSecondBoot);
    bool was_met = false;
    std::string failure;
    std::string call;
    {
      const ArmedFault fault(world.fs, Fault{at, EIO, mode});
      failure = test::failure_of([&] { world.leases().pin({both[1]}); });
      was_met = fault.was_met();
      call = fault.call();
      CHECK(world.lock_is_free());
    }
    INFO(call << ": " << failure);
    const auto now = pins_in(world);
    CHECK((now == both || (now == old && !failure.empty())));
    world.fs.start_command();
    CHECK(test::failure_of([&] { world.leases().pin({both[1]}); }).empty());
    CHECK(pins_in(world) == both);
    const auto& synced = world.fs.synced;
    CHECK(std::find(synced.begin(), synced.end(), world.record_dir()) != synced.end());
    if (!was_met) break;
  }
}
