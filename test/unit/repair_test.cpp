// What is wrong with records, and its repair: nobody who may be alive loses anything by it.
#include "allocator/store/repair/repair.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <string>

#include "test/unit/catch.hpp"
#include "test/unit/support/cached_world.hpp"
#include "test/unit/support/faults.hpp"
#include "test/unit/support/random.hpp"

using allocator::store::Flaw;
using allocator::store::Mend;
using test::ArmedFault;
using test::CachedWorld;
using test::Contents;
using test::Fault;
using test::ip;
using test::kSecondBoot;
using test::Mode;
using test::owner;
using test::pod;

namespace {

namespace store = allocator::store;
using Flaws = std::vector<Flaw>;

Flaws flaws_of(CachedWorld& world) {
  auto folder = world.fs.open_directory(world.options.network_dir);
  const auto records = world.fs.open_directory(world.record_dir());
  if (!folder || !records) return {};
  store::NetworkDir network(world.fs, std::move(*folder));
  network.scan();
  return store::find_flaws(
      world.fs, *records,
      {world.options.network_dir, &network, world.cache.entries, world.options.retains});
}

/// "name mend", one a line.
std::string told(const Flaws& flaws) {
  constexpr const char* mends[] = {"none", "remove", "lead", "bind", "name"};
  std::string text;
  for (const auto& flaw : flaws)
    text += flaw.name + " " + mends[static_cast<std::size_t>(flaw.mend)] + "\n";
  return text;
}

Flaws mendable(CachedWorld& world) {
  auto flaws = flaws_of(world);
  std::erase_if(flaws, [](const Flaw& flaw) { return flaw.mend == Mend::none; });
  return flaws;
}

/// Why each flaw was not mended, one a line; empty when all are.
std::string repair(CachedWorld& world, const Flaws& flaws) {
  std::string text;
  for (const auto& why : store::repair(world.fs, world.options, &world.cache, flaws))
    text += why.empty() ? "" : why + "\n";
  return text;
}

std::string repair(CachedWorld& world) { return repair(world, mendable(world)); }

void put_record(const CachedWorld& world, const std::string& name, const std::string& target) {
  const std::string path = world.record_dir() + "/" + name;
  std::filesystem::remove(path);
  std::filesystem::create_symlink(target, path);
}

void remove_record(const CachedWorld& world, const std::string& name) {
  std::filesystem::remove(world.record_dir() + "/" + name);
}

std::string name_of_hint(const std::string& pod_name) { return store::hint_name(pod(pod_name)); }

std::uint64_t inode_of(const std::string& path) {
  struct stat status {};
  return ::lstat(path.c_str(), &status) == 0 ? status.st_ino : 0;
}

/// The disk does not give the record any more; its name can be changed.
void damage(CachedWorld& world, const std::string& name) {
  const std::string path = world.record_dir() + "/" + name;
  world.fs.before = [name, path, inode = inode_of(path)](const test::Call& call) {
    if (call.method != "read_link" || call.subject != name || inode_of(path) != inode) return;
    throw std::system_error(EIO, std::generic_category(), "read_link " + name);
  };
}

bool is_unbound(CachedWorld& world, const std::string& address) {
  const auto folder = world.fs.open_directory(world.options.network_dir);
  store::RunFolder run(world.fs, world.options.run_dir, world.fs.identify(folder->fd));
  run.set_boot(store::read_boot_id(world.fs, world.options.boot_id_path));
  return run.is_unbound(ip(address));
}

/// Every kind of flaw that can be mended, and a record of a newer version.
void break_all(CachedWorld& world) {
  world.cache.add("c1", "web", "/gone", {"10.0.0.2"});
  world.add("c1", "web");
  world.add("c2", "db");
  world.release("c2", "eth0", pod("db"));
  put_record(world, "ip.10.0.0.2", "1~torn");
  remove_record(world, name_of_hint("web"));
  remove_record(world, name_of_hint("db"));
  put_record(world, "ip.10.0.0.5", "1~torn");
  put_record(world, name_of_hint("gone"), "1~10.0.0.6~");
  put_record(world, name_of_hint("torn"), "nonsense");
  put_record(world, "stamp.10.0.0.6", "1~1.2~x");
  put_record(world, ".new", "1~x");
  put_record(world, "netdir", "1~/elsewhere");
  put_record(world, "ip.10.0.0.4", "2~future");
}

}  // namespace

TEST_CASE("whatever the commands do leaves records in order", "[repair]") {
  CachedWorld world;
  world.sets = test::sets_of({"10.0.0.0/29", "fd00::/120"});
  test::Random random;
  INFO(test::Random::note());
  for (int step = 0; step < 150; ++step) {
    const std::string number = std::to_string(random.below(9));
    const std::string name = "web-" + number;
    INFO(step << " " << name);
    switch (random.below(8)) {
      case 0:
        world.boot("0000" + std::to_string(1000 + step) + "-aaaa-4bbb-8ccc-000000000001");
        break;
      case 1:
      case 2:
      case 3:
        world.release("c" + number, "eth0", pod(name));
        break;
      case 4:
        world.leases().forget_pod(pod(name));
        break;
      case 5:
        static_cast<void>(test::failure_of([&] { world.add("p" + number); }));
        world.release("p" + number);
        break;
      default:
        static_cast<void>(test::failure_of([&] { world.add("c" + number, name); }));
    }
    CHECK(told(flaws_of(world)).empty());
  }
}

TEST_CASE("a lost hint is written anew from the bindings, and the pod comes back", "[repair]") {
  CachedWorld world;
  world.add("c1", "web");
  const auto before = world.records();
  SECTION("nothing is there") { remove_record(world, name_of_hint("web")); }
  SECTION("it makes no sense") { put_record(world, name_of_hint("web"), "1~torn"); }
  SECTION("it leads elsewhere") { put_record(world, name_of_hint("web"), "1~10.0.0.5~"); }
  SECTION("it is a file") {
    remove_record(world, name_of_hint("web"));
    test::write_text(world.record_dir() + "/" + name_of_hint("web"), "x");
  }
  CHECK(told(flaws_of(world)) == name_of_hint("web") + " lead\n");
  world.fs.start_command();
  CHECK(repair(world).empty());
  const auto& synced = world.fs.synced;
  CHECK(std::find(synced.begin(), synced.end(), world.record_dir()) != synced.end());
  CHECK(told(flaws_of(world)).empty());
  CHECK(test::joined(world.hint("web")->addresses) == "10.0.0.2");
  CHECK(world.binding("10.0.0.2") == allocator::decode_binding(before.at("ip.10.0.0.2")));
  world.boot(kSecondBoot);
  world.add("c0", "db");
  CHECK(world.add("c2", "web") == "10.0.0.2");
}

TEST_CASE("names that are too long for a file's are known by their hints", "[repair]") {
  CachedWorld world;
  const std::string name(230, 'w');
  world.add("c1", name);
  world.release("c1", "eth0", pod(name));
  const std::string record = name_of_hint(name);
  REQUIRE(record.starts_with("pod~"));
  CHECK(told(flaws_of(world)).empty());
  SECTION("lost") {
    remove_record(world, record);
    CHECK(told(flaws_of(world)) == record + " lead\n");
  }
  SECTION("its binding is torn") {
    put_record(world, "ip.10.0.0.2", "1~torn");
    CHECK(told(flaws_of(world)) == "ip.10.0.0.2 bind\n");
  }
  CHECK(repair(world).empty());
  CHECK(told(flaws_of(world)).empty());
  CHECK(world.binding("10.0.0.2")->pod == pod(name));
  SECTION("idle") {
    remove_record(world, "ip.10.0.0.2");
    CHECK(flaws_of(world).front().pod == pod(name));
    CHECK(repair(world).empty());
    CHECK(world.records().empty());
  }
}

TEST_CASE("a damaged hint is mended, unless another record may be its pod's as well", "[repair]") {
  CachedWorld world;
  world.add("c1", "web");
  damage(world, name_of_hint("web"));
  SECTION("it is the only one") { CHECK(told(flaws_of(world)) == name_of_hint("web") + " lead\n"); }
  SECTION("nobody knows whose another binding is") {
    put_record(world, "ip.10.0.0.4", "2~future");
    CHECK(told(flaws_of(world)) == "ip.10.0.0.4 none\n" + name_of_hint("web") + " none\n");
  }
}

TEST_CASE("what binds nobody goes", "[repair]") {
  CachedWorld world;
  world.add("c1", "web");
  const auto before = world.records();
  put_record(world, name_of_hint("gone"), "1~10.0.0.2,10.0.0.6~");
  put_record(world, name_of_hint("torn"), "nonsense");
  put_record(world, "stamp.10.0.0.6", "1~1.2~x");
  put_record(world, ".new", "1~x");
  put_record(world, ".new2", "1~x");
  put_record(world, "node-ranges.0123456789abcdef.0", "1~10.0.0.0/29");
  CHECK(repair(world).empty());
  CHECK(world.records() == before);
}

TEST_CASE("parts of the ranges that are remembered stay", "[repair]") {
  CachedWorld world;
  world.add("c1", "web");
  put_record(world, "node-ranges.0123456789abcdef.0", "1~10.0.0.0/29");
  const bool is_known = GENERATE(true, false);
  put_record(world, "node-ranges", is_known ? "1~n~s~*0123456789abcdef.1" : "2~future");
  CHECK(told(mendable(world)).empty());
}

TEST_CASE("the folder's name is written again", "[repair]") {
  CachedWorld world;
  world.add("c1", "web");
  SECTION("missing") { remove_record(world, "netdir"); }
  SECTION("another one's") { put_record(world, "netdir", "1~/elsewhere"); }
  SECTION("damaged") { damage(world, "netdir"); }
  CHECK(told(flaws_of(world)) == "netdir name\n");
  CHECK(repair(world).empty());
  world.fs.before = [](const test::Call&) {};
  CHECK(told(flaws_of(world)).empty());
  CHECK(store::known_network_dirs(world.fs, world.options.state_dir) ==
        std::vector{world.options.network_dir});
}

TEST_CASE("what a newer version wrote is never touched", "[repair]") {
  CachedWorld world;
  world.add("c1", "web");
  for (const auto& name :
       {std::string("ip.10.0.0.2"), name_of_hint("web"), std::string("stamp.10.0.0.6"),
        std::string("netdir"), std::string("ip.10.0.0.5"), name_of_hint("db"),
        std::string("a-later-kind"), std::string("boots"), std::string("node-ranges")})
    put_record(world, name, "2~future");
  const auto before = test::contents_of(world.record_dir());
  CHECK(told(mendable(world)).empty());
  // Nor by who wants it mended.
  auto wanted = flaws_of(world);
  for (auto& flaw : wanted) flaw.mend = Mend::remove;
  repair(world, wanted);
  CHECK(test::contents_of(world.record_dir()) == before);
}

TEST_CASE("who has an address is bound to it again, as the runtime tells", "[repair]") {
  CachedWorld world;
  world.add("c1", "web");
  world.cache.add("c1", "web", "/gone", {"10.0.0.2"});
  SECTION("malformed") { put_record(world, "ip.10.0.0.2", "1~torn"); }
  SECTION("damaged") { damage(world, "ip.10.0.0.2"); }
  SECTION("malformed, with the hint") {
    put_record(world, "ip.10.0.0.2", "1~torn");
    put_record(world, name_of_hint("web"), "1~torn");
  }
  CHECK(repair(world).empty());
  world.fs.before = [](const test::Call&) {};
  CHECK(told(flaws_of(world)).empty());
  CHECK(world.binding("10.0.0.2")->pod == pod("web"));
  CHECK(world.binding("10.0.0.2")->sequence == 0);
  CHECK(world.files() == Contents{{"10.0.0.2", owner("c1")}});
  world.boot(kSecondBoot);
  world.add("c0", "db");
  CHECK(world.add("c2", "web") == "10.0.0.2");
}

TEST_CASE("a binding that is missing while its pod has the address is written anew", "[repair]") {
  CachedWorld world;
  world.sets = test::sets_of({"10.0.0.0/29", "fd00::/125"});
  world.add("c1", "web");
  world.cache.add("c1", "web", "/gone", {"10.0.0.2", "fd00::2"});
  SECTION("of one family") {
    remove_record(world, "ip.10.0.0.2");
    CHECK(told(flaws_of(world)) == "ip.10.0.0.2 bind\n");
  }
  SECTION("of both") {
    remove_record(world, "ip.10.0.0.2");
    remove_record(world, "ip.fd00::2");
    CHECK(told(flaws_of(world)) == "ip.10.0.0.2 bind\nip.fd00::2 bind\n");
  }
  CHECK(repair(world).empty());
  CHECK(told(flaws_of(world)).empty());
  for (const char* address : {"10.0.0.2", "fd00::2"}) {
    CHECK(world.binding(address)->pod == pod("web"));
    CHECK(world.binding(address)->sequence == 0);
  }
  world.boot(kSecondBoot);
  world.add("c0", "db");
  CHECK(world.add("c2", "web") == "10.0.0.2 fd00::2");
}

TEST_CASE("a record that leads to another's address, or to nobody's, binds nobody", "[repair]") {
  CachedWorld world;
  world.add("c1", "web");
  remove_record(world, "ip.10.0.0.2");
  SECTION("the runtime tells of another pod") {
    world.cache.add("c1", "db", "/gone", {"10.0.0.2"});
  }
  SECTION("the runtime tells nothing") {}
  SECTION("the address is in no use") {
    world.cache.add("c1", "web", "/gone", {"10.0.0.2"});
    std::filesystem::remove(world.network_file("10.0.0.2"));
  }
  SECTION("the pod is not kept") {
    world.cache.add("c1", "web", "/gone", {"10.0.0.2"});
    world.options.retains = [](const allocator::PodKey&) { return false; };
  }
  CHECK(told(flaws_of(world)) == name_of_hint("web") + " remove\n");
}

TEST_CASE("an address in use of which the runtime tells nothing stays as it is", "[repair]") {
  CachedWorld world;
  world.add("c1", "web");
  put_record(world, "ip.10.0.0.2", "1~torn");
  SECTION("nothing at all") {}
  SECTION("another container") { world.cache.add("c9", "db", "/gone", {"10.0.0.2"}); }
  SECTION("another address") { world.cache.add("c1", "web", "/gone", {"10.0.0.3"}); }
  SECTION("a caller without a pod") { world.cache.add("c1", "", "/gone", {"10.0.0.2"}); }
  SECTION("a pod that is not kept") {
    world.cache.add("c1", "web", "/gone", {"10.0.0.2"});
    world.options.retains = [](const allocator::PodKey&) { return false; };
  }
  SECTION("a pod that is bound elsewhere by now") {
    world.cache.add("c1", "web", "/gone", {"10.0.0.2"});
    remove_record(world, name_of_hint("web"));
    world.add("c3", "web");
  }
  CHECK(told(flaws_of(world)) == "ip.10.0.0.2 none\n");
}

TEST_CASE("a binding that nobody can read and nobody uses goes, or is its pod's again",
          "[repair]") {
  CachedWorld world;
  world.add("c1", "web");
  world.release("c1", "eth0", pod("web"));
  const bool is_led_to = GENERATE(true, false);
  const bool is_damaged = GENERATE(true, false);
  if (!is_led_to) remove_record(world, name_of_hint("web"));
  if (is_damaged) damage(world, "ip.10.0.0.2");
  if (!is_damaged) put_record(world, "ip.10.0.0.2", "1~torn");
  CHECK(told(flaws_of(world)) == (is_led_to ? "ip.10.0.0.2 bind\n" : "ip.10.0.0.2 remove\n"));
  CHECK(repair(world).empty());
  world.fs.before = [](const test::Call&) {};
  CHECK(told(flaws_of(world)).empty());
  CHECK(world.binding("10.0.0.2").has_value() == is_led_to);
  CHECK((!is_led_to || world.binding("10.0.0.2")->pod == pod("web")));
  // Who had it may have lost his file: he is asked for before anybody gets it.
  CHECK(is_unbound(world, "10.0.0.2"));
}

TEST_CASE("a binding that two pods' hints lead to is nobody's", "[repair]") {
  CachedWorld world;
  world.add("c1", "web");
  world.release("c1", "eth0", pod("web"));
  put_record(world, "ip.10.0.0.2", "1~torn");
  put_record(world, name_of_hint("db"), "1~10.0.0.2~");
  CHECK(told(flaws_of(world)) == "ip.10.0.0.2 remove\n");
}

TEST_CASE("whose file somebody removed, and who lives, keeps what is recorded", "[repair]") {
  CachedWorld world;
  world.add("c1", "web");
  world.cache.add("c1", "web", test::kOwnNamespace, {"10.0.0.2"});
  std::filesystem::remove(world.network_file("10.0.0.2"));
  put_record(world, "ip.10.0.0.2", "1~torn");
  const auto before = world.records();
  CHECK(told(flaws_of(world)) == "ip.10.0.0.2 none\n");
  CHECK(repair(world).empty());
  CHECK(world.records() == before);
}

TEST_CASE("a binding stays where nothing can be noted of it", "[repair]") {
  CachedWorld world;
  world.add("c1", "web");
  put_record(world, "ip.10.0.0.5", "1~torn");
  const auto flaws = mendable(world);
  world.fs.before = [](const test::Call& call) {
    if (call.subject.find("unbound") != std::string::npos)
      throw std::system_error(ENOSPC, std::generic_category(), call.subject);
  };
  CHECK(test::contains(repair(world, flaws), "its pod may be alive"));
  CHECK(world.records().count("ip.10.0.0.5") == 1);
}

TEST_CASE("of more bindings than a hint has room for, those released first go", "[repair]") {
  CachedWorld world;
  world.add("c1", "db");
  for (int number = 3; number <= 6; ++number)
    put_record(world, "ip.10.0.0." + std::to_string(number),
               "1~default~web~eth0~~" + std::to_string(number) + "~0~boot");
  put_record(world, "ip.10.0.1.1", "1~default~web~eth0~~7~0~boot");
  put_record(world, "ip.10.0.1.2", "1~default~web~eth0~~0~0~boot");  // may be in use
  const std::string told_of = told(flaws_of(world));
  CHECK(test::contains(told_of, "ip.10.0.0.3 remove\n"));
  CHECK(test::contains(told_of, "ip.10.0.0.4 remove\n"));
  CHECK(repair(world).empty());
  CHECK(test::joined(world.hint("web")->addresses) == "10.0.1.2 10.0.1.1 10.0.0.6 10.0.0.5");
}

TEST_CASE("what has changed since it was looked at stays", "[repair]") {
  CachedWorld world;
  world.add("c1", "web");
  put_record(world, "ip.10.0.0.5", "1~torn");
  const auto flaws = mendable(world);
  REQUIRE(told(flaws) == "ip.10.0.0.5 remove\n");
  SECTION("somebody uses it now") {
    test::write_text(world.network_file("10.0.0.5"), owner("c9"));
    CHECK(test::contains(repair(world, flaws), "has changed meanwhile"));
    CHECK(world.records().at("ip.10.0.0.5") == "1~torn");
  }
  SECTION("it is in order now") {
    put_record(world, "ip.10.0.0.5", "1~default~db~eth0~~3~0~boot");
    put_record(world, name_of_hint("db"), "1~10.0.0.5~");
    CHECK(repair(world, flaws).empty());
    CHECK(world.binding("10.0.0.5")->pod == pod("db"));
  }
}

TEST_CASE("without a network folder there is no lock, and nothing is mended", "[repair]") {
  CachedWorld world;
  world.add("c1", "web");
  put_record(world, ".new", "1~x");
  const auto flaws = mendable(world);
  std::filesystem::remove_all(world.options.network_dir);
  CHECK(test::contains(repair(world, flaws), "has no folder"));
  CHECK(world.records().count(".new") == 1);
  const auto records = world.fs.open_directory(world.record_dir());
  for (const auto& flaw : store::find_flaws(
           world.fs, *records,
           {world.options.network_dir, nullptr, world.cache.entries, world.options.retains}))
    CHECK(flaw.mend == Mend::none);
}

TEST_CASE("a repair that fails leaves what its repetition mends", "[repair]") {
  const Mode mode = GENERATE(Mode::fails, Mode::crashes);
  const int error = GENERATE(EIO, ENOSPC);
  for (int at = 1;; ++at) {
    REQUIRE(at < test::kManyCalls);
    CachedWorld world;
    break_all(world);
    const auto files = world.files();
    const auto flaws = mendable(world);
    bool was_met = false;
    {
      const ArmedFault fault(world.fs, Fault{at, error, mode});
      const auto failure = test::failure_of([&] { repair(world, flaws); });
      was_met = fault.was_met();
      INFO(fault.call() << ": " << failure);
      CHECK(world.lock_is_free());
      CHECK(world.files() == files);
      CHECK(world.records().at("ip.10.0.0.4") == "2~future");
      CHECK(world.binding("10.0.0.3")->pod == pod("db"));
    }
    INFO(at);
    CHECK(repair(world).empty());
    CHECK(repair(world).empty());
    CHECK(told(flaws_of(world)) == "ip.10.0.0.4 none\n");
    CHECK(world.binding("10.0.0.2")->pod == pod("web"));
    if (!was_met) break;
  }
}
