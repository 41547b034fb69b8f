// Who gets an address whose file somebody removed: live attachments that the runtime's cache tells
// of, whether a binding tells of them or not; of several that claim it, the right one.
#include <algorithm>
#include <string>

#include "test/unit/catch.hpp"
#include "test/unit/support/cached_world.hpp"

using test::CachedWorld;
using test::Contents;
using test::kOwnNamespace;
using test::kSecondBoot;
using test::owner;
using test::pod;
using test::sets_of;

namespace {

/// The entries in the one order and in the other.
void in_either_order(CachedWorld& node, bool turned) {
  if (turned) std::reverse(node.cache.entries.begin(), node.cache.entries.end());
}

/// An attachment that leaves no binding.
enum class Unbound { without_pod, excluded, of_host_local };

/// The ADD of a pod that is not retained, or of a caller without one; returns its address.
std::string add_unretained(CachedWorld& node, const std::string& container_id,
                           const std::string& pod_name) {
  auto request = node.request(container_id, pod_name);
  request.owner.is_retained = false;
  return test::joined(CachedWorld::picked(node.cached_leases().add(request)));
}

/// Starts it; returns its address.
std::string start_unbound(CachedWorld& node, Unbound kind, const std::string& container_id) {
  if (kind == Unbound::of_host_local) {
    node.put("10.0.0.4", owner(container_id));
    return "10.0.0.4";
  }
  return add_unretained(node, container_id, kind == Unbound::excluded ? "job" : "");
}

}  // namespace

TEST_CASE("of two that claim an address the one whose pod is bound to it gets the file",
          "[claims]") {
  CachedWorld node;
  node.add_cached("c-b", "b-0");
  node.cache.add("c-a", "a-0", kOwnNamespace, {"10.0.0.2"});
  node.cache.add("c-b", "b-0", kOwnNamespace, {"10.0.0.2"});
  in_either_order(node, GENERATE(false, true));
  node.wipe(GENERATE(false, true));
  auto request = node.request("c-new", "new");
  request.requested = {test::ip("10.0.0.5")};
  static_cast<void>(node.cached_leases().add(request));
  node.add_cached("c-next", "b-0");
  CHECK(node.files()["10.0.0.2"] == owner("c-b"));
  CHECK(node.release("c-a").empty());
  CHECK(node.files()["10.0.0.2"] == owner("c-b"));
  CHECK(node.release("c-b") == "10.0.0.2");
}

TEST_CASE("of two sandboxes of a pod the one of the same pod object gets the file", "[claims]") {
  CachedWorld node;
  auto first = node.request("c-1", "b-0");
  first.owner.uid = "u-b-0";
  node.add(first);
  auto& old = node.cache.add("c-old", "b-0", kOwnNamespace, {"10.0.0.2"});
  old.written_ns = 10;
  old.uid = "u-of-before";
  node.cache.add("c-1", "b-0", kOwnNamespace, {"10.0.0.2"}).written_ns = 5;
  in_either_order(node, GENERATE(false, true));
  node.wipe(true);
  node.add_cached("c-new", "new");
  CHECK(node.files()["10.0.0.2"] == owner("c-1"));
}

// A clock that was set back, and a DEL that came but did not end: the entry of a sandbox that has
// lost its address is newer than that of the one that has it.
TEST_CASE("of several that claim an address alike nobody gets it until one of them is left",
          "[claims]") {
  CachedWorld node;
  const std::string pod_name = GENERATE("", "b-0");
  if (!pod_name.empty()) {
    auto first = node.request("c-a", pod_name);
    first.owner.uid = "u-" + pod_name;
    node.add(first);
  }
  const int age_of_a = GENERATE(4, 5, 6);
  node.cache.add("c-a", pod_name, kOwnNamespace, {"10.0.0.2"}).written_ns = age_of_a;
  node.cache.add("c-b", pod_name, kOwnNamespace, {"10.0.0.2"}).written_ns = 5;
  in_either_order(node, GENERATE(false, true));
  node.wipe(true);
  for (const char* name : {"c-1", "c-2", "c-3", "c-4", "c-5"})
    static_cast<void>(test::failure_of([&] { node.add_cached(name, name); }));
  CHECK(node.files().count("10.0.0.2") == 0);
  CHECK(node.files().size() == 4);
  CHECK(test::contains(node.notes, "kept back 10.0.0.2: containers c-"));
  node.cache.gone = GENERATE("c-a", "c-b");
  static_cast<void>(test::failure_of([&] { node.add_cached("c-6", "mq"); }));
  CHECK(node.files()["10.0.0.2"] == owner(node.cache.gone == "c-a" ? "c-b" : "c-a"));
}

TEST_CASE("one attachment that the cache tells of twice has no rival", "[claims]") {
  CachedWorld node;
  node.cache.add("c-a", "", kOwnNamespace, {"10.0.0.2"});
  node.cache.add("c-a", "", kOwnNamespace, {"10.0.0.2"});
  CHECK(node.add_cached("c-new", "new") == "10.0.0.3");
  CHECK(node.files()["10.0.0.2"] == owner("c-a"));
}

TEST_CASE("a claim alone is heard although the address is bound to another pod", "[claims]") {
  CachedWorld node;
  node.add_cached("c-b", "b-0");
  node.cache.add("c-a", "a-0", kOwnNamespace, {"10.0.0.2"});
  node.wipe(true);
  CHECK(node.add_cached("c-new", "new") == "10.0.0.3");
  CHECK(node.files()["10.0.0.2"] == owner("c-a"));
}

TEST_CASE("a record that cannot be understood keeps no live attachment from its file", "[claims]") {
  CachedWorld node;
  node.add_cached("c-b", "b-0");
  std::filesystem::remove(node.record_dir() + "/ip.10.0.0.2");
  std::filesystem::create_symlink("2~who~knows", node.record_dir() + "/ip.10.0.0.2");
  node.cache.add("c-b", "b-0", kOwnNamespace, {"10.0.0.2"});
  node.wipe(true);
  CHECK(node.add_cached("c-new", "new") == "10.0.0.3");
  CHECK(node.files()["10.0.0.2"] == owner("c-b"));
}

TEST_CASE("of a pod's dead sandboxes the newest one says what it had", "[claims]") {
  CachedWorld node;
  node.cache.add("c-1", "web", "/run/netns/gone", {"10.0.0.3"}).written_ns = 1;
  node.cache.add("c-2", "web", "/run/netns/gone", {"10.0.0.4"}).written_ns = 2;
  in_either_order(node, GENERATE(false, true));
  const bool by_host_local = GENERATE(false, true);
  if (by_host_local) {
    node.put("10.0.0.3", owner("c-1"));
    node.put("10.0.0.4", owner("c-2"));
  }
  node.add_cached("c-new", "new");
  CHECK(node.hint("web")->addresses == test::ips({"10.0.0.4"}));
}

TEST_CASE("an address whose file was removed is not given away while its attachment lives",
          "[claims]") {
  const Unbound kind = GENERATE(Unbound::without_pod, Unbound::excluded, Unbound::of_host_local);
  CachedWorld node;
  std::string address;
  if (kind == Unbound::of_host_local) address = start_unbound(node, kind, "c-live");
  node.add_cached("c-first", "first");
  if (kind != Unbound::of_host_local) address = start_unbound(node, kind, "c-live");
  node.cache.add("c-live", "", kOwnNamespace, {}).addresses = {test::ip(address)};
  std::filesystem::remove(node.network_file(address));
  SECTION("when the cursor comes to it") {
    for (const char* id : {"c1", "c2", "c3", "c4"})
      test::failure_of([&] { node.add_cached(id, id); });
  }
  SECTION("on request") {
    auto request = node.request("c1", "web");
    request.requested = {test::ip(address)};
    const auto failure =
        test::failure_of([&] { static_cast<void>(node.cached_leases().add(request)); });
    CHECK(test::contains(failure, "is not available"));
  }
  SECTION("by a pin") {
    node.reservations.pins = {test::pin("web", address)};
    CHECK(test::contains(test::failure_of([&] { node.add_cached("c1", "web"); }),
                         "in use by container c-live"));
  }
  CHECK(node.files()[address] == owner("c-live"));
}

TEST_CASE("the address of a pod with a binding is not given away on request either", "[claims]") {
  CachedWorld node;
  node.add_cached("c-live", "web");
  node.cache.add("c-live", "web", kOwnNamespace, {"10.0.0.2"});
  std::filesystem::remove(node.network_file("10.0.0.2"));
  auto request = node.request("c1", GENERATE("", "db"));
  request.requested = {test::ip("10.0.0.2")};
  CHECK(test::contains(
      test::failure_of([&] { static_cast<void>(node.cached_leases().add(request)); }),
      "is not available"));
  CHECK(node.files()["10.0.0.2"] == owner("c-live"));
}

TEST_CASE("an address whose file was removed is free when nobody lives there, and asked for once",
          "[claims]") {
  CachedWorld node;
  node.add_cached("c-first", "first");
  const auto address = start_unbound(node, Unbound::without_pod, "c-dead");
  REQUIRE(address == "10.0.0.3");
  node.cache.add("c-dead", "", "/run/netns/gone", {"10.0.0.3"});
  std::filesystem::remove(node.network_file("10.0.0.3"));
  const int before = node.cache.times_read;
  auto request = node.request("c1", "web");
  request.requested = {test::ip("10.0.0.3")};
  static_cast<void>(node.cached_leases().add(request));
  CHECK(node.files()["10.0.0.3"] == owner("c1"));
  CHECK(node.cache.times_read == before + 1);
  node.release("c1", "eth0", pod("web"));
  request = node.request("c2", "web");
  static_cast<void>(node.cached_leases().add(request));
  CHECK(node.cache.times_read == before + 1);
}

TEST_CASE("what comes and goes in order never costs a look at the cache", "[claims]") {
  CachedWorld node;
  node.add_cached("c-first", "first");
  const int before = node.cache.times_read;
  for (int lap = 0; lap < 12; ++lap) {
    const std::string id = "c-" + std::to_string(lap);
    const auto kind = lap % 2 == 0 ? Unbound::without_pod : Unbound::excluded;
    start_unbound(node, kind, id);
    if (lap % 3 == 0) {
      auto lease = node.cached_leases().add(node.request(id + "-x"));
      node.cached_leases().undo(lease);
    }
    node.cached_leases().release(node.release_request(id));
  }
  CHECK(node.cache.times_read == before);
  node.boot(kSecondBoot);
  node.add_cached("c-next", "next");
  CHECK(node.cache.times_read == before + 1);
}

namespace {

/// Somebody removes the file of a living sandbox; then newcomers take what there is.
void is_asked_for(CachedWorld& node, const std::string& address, const std::string& container_id) {
  std::filesystem::remove(node.network_file(address));
  for (int newcomer = 1; newcomer <= 6; ++newcomer) {
    const std::string name = "c-" + std::to_string(newcomer);
    static_cast<void>(test::failure_of([&] { node.add_cached(name, name); }));
    CHECK(node.files()[address] != owner(name));
  }
  CHECK(node.files()[address] == owner(container_id));
}

}  // namespace

TEST_CASE("a removed file of a sandbox whose pod has got another address meanwhile is asked for",
          "[claims]") {
  CachedWorld node;
  node.add_cached("c-old", "web");
  node.cache.add("c-old", "web", kOwnNamespace, {"10.0.0.2"});
  SECTION("which it keeps") { CHECK(node.add_cached("c-now", "web") == "10.0.0.3"); }
  SECTION("and is not retained any more") {
    CHECK(add_unretained(node, "c-now", "web") == "10.0.0.3");
    CHECK(node.binding("10.0.0.2") == std::nullopt);
  }
  is_asked_for(node, "10.0.0.2", "c-old");
}

TEST_CASE("the mark of an address stands before the binding that told of it ends", "[claims]") {
  CachedWorld node;
  node.add_cached("c-old", "web");
  std::vector<std::string> order;
  node.fs.before = [&](const test::Call& call) {
    if (call.method == "make_link" && call.subject == "unbound/10.0.0.2") order.push_back("mark");
    if (call.method == "unlink" && call.subject == "ip.10.0.0.2") order.push_back("end");
  };
  SECTION("which moves") { node.add_cached("c-now", "web"); }
  SECTION("of a pod that is not retained any more") { add_unretained(node, "c-now", "web"); }
  REQUIRE(order.size() >= 2);
  CHECK(order.front() == "mark");
  CHECK(order.back() == "end");
}

namespace {

/// A sandbox lives, and somebody removes both folders. A command without ranges then restores
/// nothing, and learns bindings of what seems to be free.
void lose_everything(CachedWorld& node) {
  node.add_cached("c-live", "web");
  node.cache.add("c-live", "web", kOwnNamespace, {"10.0.0.2"});
  node.wipe(true);
  std::filesystem::remove_all(node.options.state_dir);
  static_cast<void>(node.cached_leases().collect({}));
}

}  // namespace

TEST_CASE("a live attachment outside the ranges of the ADD that restores is asked for later",
          "[claims]") {
  CachedWorld node;
  lose_everything(node);
  node.sets = sets_of({"10.0.1.0/29"});
  CHECK(node.add_cached("c-other", "other") == "10.0.1.2");
  node.sets = sets_of({"10.0.0.0/29"});
  is_asked_for(node, "10.0.0.2", "c-live");
}

TEST_CASE("an address that a pod got although its records could not be written is asked for",
          "[claims]") {
  CachedWorld node;
  SECTION("as the disk was full when it came back") {
    node.add_cached("c-old", "web");
    node.release("c-old", "eth0", pod("web"));
    node.fs.before = [](const test::Call& call) {
      const bool is_record = call.subject.find("ip.") != std::string::npos ||
                             call.subject.find(".new") != std::string::npos;
      if (call.method == "make_link" && is_record)
        throw std::system_error(ENOSPC, std::generic_category(), "symlink");
    };
    CHECK(node.add_cached("c-live", "web") == "10.0.0.2");
    node.fs.before = [](const test::Call&) {};
    CHECK(node.binding("10.0.0.2").value().sequence != 0);
  }
  SECTION("as the folder that was removed is made anew") {
    node.add_cached("c-live", "web");
    std::filesystem::remove_all(node.options.state_dir);
  }
  node.cache.add("c-live", "web", kOwnNamespace, {"10.0.0.2"});
  is_asked_for(node, "10.0.0.2", "c-live");
}

TEST_CASE("an address that came back to its file by the cache's word is asked for again",
          "[claims]") {
  CachedWorld node;
  lose_everything(node);
  static_cast<void>(node.add_cached("c-other", "other"));
  CHECK(node.files()["10.0.0.2"] == owner("c-live"));
  std::filesystem::remove(node.network_file("10.0.0.2"));
  CHECK(node.add_cached("c-2", "web") != "10.0.0.2");
  is_asked_for(node, "10.0.0.2", "c-live");
}

TEST_CASE("the address of a range set too many for a binding is asked for", "[claims]") {
  CachedWorld node;
  node.sets = sets_of({"10.0.0.0/28", "10.0.1.0/28", "10.0.2.0/28", "10.0.3.0/28", "10.0.4.0/29"});
  node.add_cached("c-live", "web");
  REQUIRE(node.binding("10.0.4.2") == std::nullopt);
  node.cache.add("c-live", "web", kOwnNamespace, {"10.0.4.2"});
  is_asked_for(node, "10.0.4.2", "c-live");
}

TEST_CASE("an ADD is not taken back because a mark cannot be asked for", "[claims]") {
  CachedWorld node;
  node.sets = sets_of({"10.0.0.0/24"});
  node.add_cached("c-old", "web");
  // So many that only single names are looked at.
  for (int other = 0; other < 40; ++other) node.add_cached("c" + std::to_string(other));
  bool is_answered = false;
  int failed = 0;
  node.fs.after = [&](const test::Call& call) { is_answered |= call.method == "link_file"; };
  node.fs.before = [&](const test::Call& call) {
    if (!is_answered || call.method != "identify" || call.subject != "10.0.0.2") return;
    ++failed;
    throw std::system_error(EMFILE, std::generic_category(), "open");
  };
  CHECK(add_unretained(node, "c-now", "web") == "10.0.0.43");
  CHECK(failed > 0);
}
