// The bindings of pods whose addresses a plugin of its own hands out, and what others do between
// the plugin's answer and our record of it.
#include "allocator/store/delegates/delegate_bindings.hpp"

#include <string>

#include "allocator/store/state/call_start.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/store_world.hpp"

using allocator::store::DelegateBindings;
using allocator::store::DelegatedOwner;
using allocator::store::Presence;
using allocator::store::RunFolder;
using test::ips;
using test::owner;
using test::pod;
using test::StoreWorld;
using test::write_text;

namespace {

/// A network of host-local's, as a program; `label` for another plugin's.
struct DelegatedWorld {
  explicit DelegatedWorld(const std::string& label = "") {
    options = world.options;
    if (!label.empty()) options.network_dir = label;
    std::filesystem::create_directories(world.options.network_dir);
  }

  [[nodiscard]] std::string run_folder() const { return world.options.run_dir + "/plugin"; }
  DelegateBindings bindings() {
    run.emplace(world.fs, run_folder());
    return {world.fs, options, *run, notes};
  }
  static DelegatedOwner of(const std::string& container_id, const std::string& pod_name) {
    return {{pod(pod_name), "uid"}, {container_id, "eth0"}, "/var/run/netns/none"};
  }
  void give(const std::string& address, const std::string& container_id) const {
    write_text(world.network_file(address), owner(container_id));
  }

  StoreWorld world;
  allocator::store::StoreOptions options;
  std::optional<RunFolder> run;
  std::vector<std::string> notes;
};

/// What has a stamp of ours begins with its format.
bool is_stamped(StoreWorld& world, const std::string& address) {
  auto folder = world.fs.open_directory(world.options.network_dir);
  const auto file = world.fs.open_file(*folder, address);
  return world.fs.get_attribute(*file, allocator::store::kStampAttribute).has_value();
}

}  // namespace

TEST_CASE("wishes: nothing of an attachment is ended of which not all is proven dead",
          "[delegate]") {
  DelegatedWorld node;
  node.give("10.0.0.2", "script");
  node.bindings().record(DelegatedWorld::of("script", "web"), ips({"10.0.0.2"}), {});
  node.world.boot(test::kSecondBoot);
  const bool is_used_again = GENERATE(false, true);
  if (is_used_again) node.give("10.0.0.3", "script");
  const auto wishes = node.bindings().wishes(DelegatedWorld::of("c2", "web"));
  CHECK(wishes.dead.empty() == is_used_again);
  CHECK(wishes.addresses.empty() == is_used_again);
}

TEST_CASE("record: an address that its DEL has freed is left to whom it was given since",
          "[delegate]") {
  DelegatedWorld node;
  node.give("10.0.0.2", "c1");
  bool given = false;
  node.world.fs.before = [&](const test::Call& call) {
    if (given || call.method != "lock") return;
    given = true;  // by a DEL and another pod's ADD, before the lock is ours
    node.give("10.0.0.2", "c2");
    node.bindings().record(DelegatedWorld::of("c2", "db"), ips({"10.0.0.2"}), {});
  };
  auto bindings = node.bindings();
  bindings.record(DelegatedWorld::of("c1", "web"), ips({"10.0.0.2"}), {});
  REQUIRE(given);
  CHECK(node.world.binding("10.0.0.2")->pod == pod("db"));
  CHECK_FALSE(node.world.hint("web"));
  CHECK(test::read_text(node.world.network_file("10.0.0.2")) == owner("c2"));
}

TEST_CASE(
    "record: an address that is free again is bound to nobody, and one that is not is stamped",
    "[delegate]") {
  DelegatedWorld node;
  node.give("10.0.0.3", "c1");
  node.bindings().record(DelegatedWorld::of("c1", "web"), ips({"10.0.0.2", "10.0.0.3"}), {});
  CHECK(node.world.records().empty());
  CHECK(is_stamped(node.world, "10.0.0.3"));
  node.bindings().record(DelegatedWorld::of("c1", "web"), ips({"10.0.0.3"}), {});
  CHECK(node.world.binding("10.0.0.3")->pod == pod("web"));
}

TEST_CASE("record: without host-local's files the tombstone of a later DEL ends it", "[delegate]") {
  DelegatedWorld node("delegate:ledger/net");
  const auto web = DelegatedWorld::of("c1", "web");
  node.world.options.network_dir = node.options.network_dir;
  auto bindings = node.bindings();
  node.run->put_tombstone(web.attachment, 1);  // of an earlier ADD
  bindings.record(web, ips({"10.0.0.2"}), {});
  CHECK(node.world.binding("10.0.0.2")->pod == pod("web"));
  node.run->put_tombstone(web.attachment, allocator::store::boottime_now());
  bindings.record(web, ips({"10.0.0.4"}), {});
  CHECK_FALSE(node.world.binding("10.0.0.4"));
}

TEST_CASE("presence: only what is proven dead gives way", "[delegate]") {
  DelegatedWorld node;
  const auto web = DelegatedWorld::of("c1", "web");
  CHECK(node.bindings().presence(web) == Presence::none);
  node.give("10.0.0.2", "c1");
  CHECK(node.bindings().presence(web) == Presence::live);  // host-local's own, without a stamp
  node.bindings().record(web, ips({"10.0.0.2"}), {});
  CHECK(node.bindings().presence(web) == Presence::live);
  node.world.boot("22222222-aaaa-4bbb-8ccc-000000000002");
  CHECK(node.bindings().presence(web) == Presence::dead);
  node.give("10.0.0.3", "c1");
  CHECK(node.bindings().presence(web) == Presence::live);
}

TEST_CASE("knows_whole_boot: until /run is emptied, and again in the next boot", "[delegate]") {
  DelegatedWorld node("delegate:ledger/net");
  CHECK(node.bindings().knows_whole_boot());
  CHECK(node.bindings().knows_whole_boot());
  std::filesystem::remove_all(node.world.options.run_dir);
  CHECK_FALSE(node.bindings().knows_whole_boot());
  CHECK_FALSE(node.bindings().knows_whole_boot());
  node.world.boot("22222222-aaaa-4bbb-8ccc-000000000002");
  CHECK(node.bindings().knows_whole_boot());
  // A state folder that cannot be written cannot tell later that the boot was seen.
  node.world.boot("33333333-aaaa-4bbb-8ccc-000000000003");
  node.world.fs.before = [](const test::Call& call) {
    if (call.method == "make_link" && call.subject == ".new")
      throw std::system_error(EROFS, std::generic_category());
  };
  CHECK_FALSE(node.bindings().knows_whole_boot());
}

TEST_CASE("is_given_elsewhere: two namespaces that are both there", "[delegate]") {
  DelegatedWorld node;
  auto bindings = node.bindings();
  auto web = DelegatedWorld::of("c1", "web");
  web.netns_path = "/proc/self/ns/net";
  auto given_to = bindings.stamp_of(web);
  CHECK_FALSE(bindings.is_given_elsewhere(web, given_to));
  const auto own = given_to.netns_inode;
  given_to.netns_path = "/run/netns/gone";
  given_to.netns_inode = own + 1;  // nobody is in it
  CHECK_FALSE(bindings.is_given_elsewhere(web, given_to));
  node.world.fs.redirections = {};
  auto ingress = web;
  ingress.attachment.container_id = "cilium-ingress-edge";
  given_to.netns_path = "/proc/self/ns/net";
  CHECK_FALSE(bindings.is_given_elsewhere(ingress, given_to));
  given_to.netns_inode = 0;
  CHECK_FALSE(bindings.is_given_elsewhere(web, given_to));
}

TEST_CASE("still_holds: while host-local's files say so", "[delegate]") {
  DelegatedWorld node;
  node.give("10.0.0.2", "c1");
  const DelegatedOwner owner = DelegatedWorld::of("c1", "web");
  CHECK(node.bindings().still_holds(owner.attachment, ips({"10.0.0.2"})));
  CHECK_FALSE(node.bindings().still_holds(owner.attachment, ips({"10.0.0.2", "10.0.0.3"})));
  SECTION("not when it has given it to another one") { node.give("10.0.0.2", "c2"); }
  SECTION("not when it has freed it") {
    std::filesystem::remove(node.world.network_file("10.0.0.2"));
  }
  SECTION("not when its folder is gone") {
    std::filesystem::remove_all(node.world.options.network_dir);
  }
  CHECK_FALSE(node.bindings().still_holds(owner.attachment, ips({"10.0.0.2"})));
}
