// What others do between two calls of a command: each story is played in one process by a hook.
#include <string>

#include "test/unit/catch.hpp"
#include "test/unit/support/store_world.hpp"
#include "test/unit/support/story.hpp"

using allocator::store::TryAgain;
using test::Call;
using test::Contents;
using test::failure_of;
using test::once;
using test::owner;
using test::pod;
using test::sets_of;
using test::StoreWorld;

TEST_CASE("an ADD whose attachment is deleted before its fsync says try again and leaves nothing",
          "[interleaving]") {
  StoreWorld world(sets_of({"10.0.0.0/29", "2001:db8::/64"}));
  const std::string pod_name = GENERATE("", "web");
  world.fs.after = once("unlock", [&] { world.release("c1"); });
  const auto request = world.request("c1", pod_name);
  CHECK_THROWS_AS(world.leases().add(request), TryAgain);
  CHECK(world.files().empty());
  CHECK(world.orphans().empty());
  CHECK(world.add("c2", pod_name).starts_with("10.0.0."));
}

TEST_CASE("a returning pod whose ADD is overtaken by its DEL keeps its address", "[interleaving]") {
  StoreWorld world;
  world.add("c1", "web");
  world.release("c1");
  world.fs.after = once("unlock", [&] { world.release("c2"); });
  CHECK_THROWS_AS(world.add("c2", "web"), TryAgain);
  CHECK(world.files().empty());
  CHECK(world.binding("10.0.0.2")->pod == pod("web"));
  CHECK(world.add("c3", "web") == "10.0.0.2");
}

TEST_CASE("a repeated ADD that is overtaken by a DEL does not answer with the freed address",
          "[interleaving]") {
  StoreWorld world;
  const std::string pod_name = GENERATE("", "web");
  world.add("c1", pod_name);
  world.fs.after = once("unlock", [&] { world.release("c1"); });
  CHECK_THROWS_AS(world.add("c1", pod_name), TryAgain);
  CHECK(world.files().empty());
}

TEST_CASE("an ADD that is deleted and whose address went to another pod takes nothing from it",
          "[interleaving]") {
  StoreWorld world(sets_of({"10.0.0.0/30"}));
  world.fs.after = once("unlock", [&] {
    world.release("c1");
    world.add("c2", "db");
  });
  CHECK_THROWS_AS(world.add("c1", "web"), TryAgain);
  CHECK(world.files() == Contents{{"10.0.0.2", owner("c2")}});
  CHECK(world.binding("10.0.0.2")->pod == pod("db"));
  CHECK(world.orphans().empty());
}

TEST_CASE("an evicting ADD that fails gives nothing back to a pod bound anew meanwhile",
          "[interleaving]") {
  StoreWorld world;
  world.add("c1", "web");
  world.release("c1");
  for (const char* other : {"c2", "c3", "c4", "c5"}) world.add(other);
  world.fs.after = once("unlock", [&] {
    world.release("c5");
    REQUIRE(world.add("c7", "web") == "10.0.0.6");
    world.release("c6");
  });
  CHECK_THROWS_AS(world.add("c6", "db"), TryAgain);
  CHECK(world.binding("10.0.0.6")->pod == pod("web"));
  CHECK(world.orphans().empty());
}

TEST_CASE("a name that somebody makes without the lock is not taken from him", "[interleaving]") {
  StoreWorld world(sets_of({"10.0.0.0/29", "2001:db8::/64"}));
  const std::string pod_name = GENERATE("", "web");
  const std::string name = GENERATE("10.0.0.2", "2001:db8::2");
  world.fs.has_unnamed_files = GENERATE(true, false);
  bool made = false;
  world.fs.before = [&](const Call& call) {
    if (made || call.method != "link_file" || call.subject != name) return;
    made = true;
    test::write_text(world.network_file(name), owner("stranger"));
  };
  const std::string addresses = world.add("c1", pod_name);
  CHECK(made);
  CHECK(addresses == (name == "10.0.0.2" ? "10.0.0.3 2001:db8::2" : "10.0.0.2 2001:db8::3"));
  auto files = world.files();
  CHECK(files.at(name) == owner("stranger"));
  files.erase(name);
  CHECK(files.size() == 2);
  for (const auto& [file, content] : files) CHECK(content == owner("c1"));
  CHECK(world.orphans().empty());
}

TEST_CASE("a held address that somebody takes without the lock is lost, the pod still comes up",
          "[interleaving]") {
  StoreWorld world;
  world.add("c1", "web");
  world.release("c1");
  bool made = false;
  world.fs.before = [&](const Call& call) {
    if (made || call.method != "link_file") return;
    made = true;
    test::write_text(world.network_file("10.0.0.2"), owner("stranger"));
  };
  CHECK(world.add("c2", "web") == "10.0.0.3");
  CHECK(world.files().at("10.0.0.2") == owner("stranger"));
  CHECK(test::joined(world.hint("web")->addresses) == "10.0.0.3");
}

TEST_CASE("somebody who always makes the name first ends the ADD, which leaves nothing",
          "[interleaving]") {
  StoreWorld world(sets_of({"10.0.0.0/24"}));
  world.fs.has_unnamed_files = GENERATE(true, false);
  world.fs.before = [&](const Call& call) {
    if (call.method == "link_file") {
      test::write_text(world.network_file(call.subject), owner("stranger"));
    }
  };
  CHECK(test::contains(failure_of([&] { world.add("c1", "web"); }), "without taking the lock"));
  for (const auto& [file, content] : world.files()) CHECK(content == owner("stranger"));
  CHECK(world.records().empty());
}

TEST_CASE("two ADDs of one attachment at a time end with the same addresses", "[interleaving]") {
  StoreWorld world;
  std::string second;
  world.fs.after = once("unlock", [&] { second = world.add("c1", "web"); });
  CHECK(world.add("c1", "web") == "10.0.0.2");
  CHECK(second == "10.0.0.2");
  CHECK(world.files() == Contents{{"10.0.0.2", owner("c1")}});
}

TEST_CASE("a DEL that runs while a file is replaced by another attachment's frees its own only",
          "[interleaving]") {
  StoreWorld world(sets_of({"10.0.0.0/30"}));
  world.add("c1", "web");
  world.fs.after = once("unlock", [&] { world.add("c2", "db"); });
  CHECK(world.release("c1") == "10.0.0.2");
  CHECK(world.files() == Contents{{"10.0.0.2", owner("c2")}});
}
