#include "allocator/store/state/record_folder.hpp"

#include <set>
#include <string>

#include "test/unit/catch.hpp"
#include "test/unit/support/random.hpp"
#include "test/unit/support/store_world.hpp"

using allocator::Binding;
using allocator::PodHint;
using allocator::store::hint_name;
using allocator::store::record_folder_name;
using allocator::store::RecordFolder;
using test::contents_of;
using test::ip;
using test::ips;
using test::pod;

namespace {

constexpr std::size_t kLongestName = 255;  // NAME_MAX

/// A state folder with the records of one network.
class State {
 public:
  RecordFolder create(const std::string& netdir = "/var/lib/cni/networks/net") {
    std::vector<std::string> changed;
    return RecordFolder::create(fs, dir_.path(), netdir, changed);
  }
  [[nodiscard]] const std::string& path() const { return dir_.path(); }

  allocator::store::PosixFileSystem fs;

 private:
  test::TempDir dir_;
};

Binding binding_of(const std::string& name, std::uint64_t sequence = 0) {
  return {pod(name), "", sequence, 0, "12345678"};
}

std::string random_path(test::Random& random) {
  std::string path;
  for (std::size_t parts = 1 + random.below(4); parts > 0; --parts) {
    std::string part;
    while (part.empty()) {
      part = random.nasty_text(random.below(10) == 0 ? 250 : 4);
      std::erase(part, '/');
    }
    path += "/" + part;
  }
  return path;
}

}  // namespace

TEST_CASE("the folder of a network is named by its path", "[records]") {
  CHECK(record_folder_name("/var/lib/cni/networks/cbr0") == "var_lib_cni_networks_cbr0");
  CHECK(record_folder_name("/a_b/c") == "a%5Fb_c");
  CHECK(record_folder_name("/" + std::string(200, 'x')) == std::string(200, 'x'));
  CHECK(record_folder_name("/" + std::string(201, 'x')).size() == 65);
  CHECK(record_folder_name("/" + std::string(201, 'x')).front() == '~');
}

TEST_CASE("different network folders have different, valid names", "[records][property]") {
  test::Random random;
  INFO(test::Random::note());
  std::set<std::string> paths;
  std::set<std::string> names;
  for (int round = 0; round < 5000; ++round) {
    const std::string path = random_path(random);
    const std::string name = record_folder_name(path);
    INFO("path " << path << ", name " << name);
    REQUIRE(name.size() <= 200);
    REQUIRE_FALSE(name.empty());
    REQUIRE(name.find('/') == std::string::npos);
    paths.insert(path);
    names.insert(name);
  }
  CHECK(paths.size() == names.size());
}

TEST_CASE("different pods have different, valid hint names", "[records][property]") {
  test::Random random;
  INFO(test::Random::note());
  std::set<std::string> pods;
  std::set<std::string> names;
  for (int round = 0; round < 5000; ++round) {
    const std::size_t longest = random.below(5) == 0 ? 300 : 5;
    const allocator::PodKey key{random.nasty_text(longest), random.nasty_text(longest),
                                random.nasty_text(15)};
    const std::string name = hint_name(key);
    REQUIRE(name.size() <= kLongestName);
    REQUIRE(name.find('/') == std::string::npos);
    pods.insert(key.pod_namespace + '\0' + key.pod_name + '\0' + key.ifname);
    names.insert(name);
  }
  CHECK(pods.size() == names.size());
}

TEST_CASE("a key of at most 200 bytes is readable, a longer one is hashed", "[records]") {
  const std::string longest(200 - std::string("ns_@eth0").size(), 'p');
  CHECK(hint_name({"ns", "web", "eth0"}) == "pod.ns_web@eth0");
  CHECK(hint_name({"ns", longest, "eth0"}) == "pod.ns_" + longest + "@eth0");
  CHECK(hint_name({"ns", longest + "p", "eth0"}).starts_with("pod~"));
  CHECK(hint_name({"ns", longest + "p", "eth0"}).size() == 4 + 64);
}

TEST_CASE("records are symbolic links whose target is the data", "[records]") {
  State state;
  RecordFolder records = state.create();
  records.put(pod("web"), PodHint{ips({"10.0.0.2"}), {}});
  records.put(ip("10.0.0.2"), binding_of("web", 7));
  CHECK(contents_of(records.path()) ==
        test::Contents{{"netdir", "1~/var/lib/cni/networks/net"},
                       {"pod.default_web@eth0", "1~10.0.0.2~"},
                       {"ip.10.0.0.2", "1~default~web~eth0~~7~0~12345678"}});
}

TEST_CASE("a hashed name keeps the pod's names in the target", "[records]") {
  State state;
  RecordFolder records = state.create();
  const allocator::PodKey long_pod{"ns", std::string(300, 'x'), "eth0"};
  records.put(long_pod, PodHint{ips({"10.0.0.2"}), {}});
  const auto contents = contents_of(records.path());
  CHECK(contents.at(hint_name(long_pod)) == "1~10.0.0.2~~ns~" + std::string(300, 'x') + "~eth0");
  RecordFolder again = state.create();
  CHECK(again.hint(long_pod) == PodHint{ips({"10.0.0.2"}), {}});
}

TEST_CASE("a changed record replaces the old one in one rename", "[records]") {
  State state;
  {
    RecordFolder records = state.create();
    records.put(ip("10.0.0.2"), binding_of("web"));
  }
  RecordFolder records = state.create();
  records.put(ip("10.0.0.2"), binding_of("db"));
  CHECK(contents_of(records.path()) ==
        test::Contents{{"netdir", "1~/var/lib/cni/networks/net"},
                       {"ip.10.0.0.2", "1~default~db~eth0~~0~0~12345678"}});
  CHECK(records.changes().size() == 1);
}

TEST_CASE("what a crash left of a rename is in nobody's way", "[records]") {
  State state;
  RecordFolder records = state.create();
  records.put(ip("10.0.0.2"), binding_of("web"));
  std::filesystem::create_symlink("1~left~over", records.path() + "/.new");
  records.put(ip("10.0.0.2"), binding_of("db"));
  CHECK(contents_of(records.path()).count(".new") == 0);
  CHECK(records.binding(ip("10.0.0.2"))->pod == pod("db"));
}

TEST_CASE("a record that says the same again is not written", "[records]") {
  State state;
  state.create().put(ip("10.0.0.2"), binding_of("web"));
  RecordFolder records = state.create();
  records.put(ip("10.0.0.2"), binding_of("web"));
  CHECK(records.changes().empty());
}

TEST_CASE("damaged and foreign records are no bindings", "[records]") {
  State state;
  RecordFolder records = state.create();
  for (const char* name : {"ip.10.0.0.2", "ip.10.0.0.256", "ip.", "iq.10.0.0.3", "README"}) {
    std::filesystem::create_symlink("1~damaged", records.path() + "/" + name);
  }
  test::write_text(records.path() + "/ip.10.0.0.4", "1~default~web~eth0~~0~0~12345678");
  CHECK(records.bindings().empty());
  CHECK_FALSE(records.binding(ip("10.0.0.2")).has_value());
  CHECK_FALSE(records.binding(ip("10.0.0.4")).has_value());
}

TEST_CASE("a record of a newer version is refused by name", "[records]") {
  State state;
  const std::string path = state.create().path();
  std::filesystem::create_symlink("2~future", path + "/ip.10.0.0.2");
  std::filesystem::create_symlink("2~future", path + "/" + hint_name(pod("web")));
  RecordFolder records = state.create();
  CHECK_THROWS_AS(records.binding(ip("10.0.0.2")), allocator::store::NewerFormat);
  CHECK_THROWS_AS(records.hint(pod("web")), allocator::store::NewerFormat);
  CHECK_THROWS_AS(records.put(ip("10.0.0.2"), binding_of("web")), allocator::store::NewerFormat);
  CHECK(records.bindings().empty());
  CHECK(records.survey().closed.size() == 1);
  const std::string text =
      test::failure_of([&] { static_cast<void>(records.binding(ip("10.0.0.2"))); });
  CHECK(test::contains(text, records.path() + "/ip.10.0.0.2"));
  CHECK(contents_of(records.path()).at("ip.10.0.0.2") == "2~future");
}

TEST_CASE("undo restores what this object changed", "[records]") {
  State state;
  {
    RecordFolder records = state.create();
    records.put(pod("web"), PodHint{ips({"10.0.0.2"}), {}});
    records.put(ip("10.0.0.2"), binding_of("web", 3));
  }
  RecordFolder records = state.create();
  const auto before = contents_of(records.path());
  records.put(pod("web"), PodHint{ips({"10.0.0.3"}), ips({"10.0.0.2"})});
  records.put(ip("10.0.0.3"), binding_of("web"));
  records.remove(ip("10.0.0.2"));
  REQUIRE(contents_of(records.path()) != before);
  records.undo();
  CHECK(contents_of(records.path()) == before);
  CHECK(records.changes().empty());
}

TEST_CASE("undo leaves alone what somebody changed since", "[records]") {
  State state;
  RecordFolder records = state.create();
  records.put(ip("10.0.0.2"), binding_of("web"));
  {
    RecordFolder other = state.create();
    other.put(ip("10.0.0.2"), binding_of("web", 9));
  }
  records.undo();
  CHECK(state.create().binding(ip("10.0.0.2"))->sequence == 9);
}

TEST_CASE("the folders of a network are known by its name", "[records]") {
  State state;
  state.create("/var/lib/cni/networks/cbr0");
  state.create("/data/cbr0");
  state.create("/data/xcbr0");
  state.create("/data/" + std::string(220, 'd') + "/cbr0");
  std::filesystem::create_directory(state.path() + "/foreign");
  test::write_text(state.path() + "/file", "x");
  CHECK(allocator::store::known_network_dirs(state.fs, state.path(), "cbr0") ==
        std::vector<std::string>{"/data/cbr0", "/data/" + std::string(220, 'd') + "/cbr0",
                                 "/var/lib/cni/networks/cbr0"});
  CHECK(allocator::store::known_network_dirs(state.fs, state.path() + "/missing", "cbr0").empty());
}

TEST_CASE("a folder that lost its own record gets it back", "[records]") {
  State state;
  const std::string path = state.create().path();
  std::filesystem::remove(path + "/netdir");
  state.create();
  CHECK(contents_of(path).count("netdir") == 1);
}

TEST_CASE("ranges of any number are remembered, in targets that every file system takes",
          "[records]") {
  State state;
  const auto blocks = [](int count, const char* net) {
    std::vector<std::string> cidrs;
    for (int i = 0; i < count; ++i)
      cidrs.push_back("10." + std::string(net) + "." + std::to_string(i % 256) + "." +
                      std::to_string(i / 256 * 16) + "/28");
    return cidrs;
  };
  for (const int count : {1, 40, 60, 250, 4000, 3}) {
    for (const char* net : {"1", "2"}) {
      const auto cidrs = blocks(count, net);
      for (int repeat = 0; repeat < 2; ++repeat) {
        RecordFolder records = state.create();
        records.put_last_ranges({"n1", "yurthub", cidrs});
        CHECK(records.changes().empty() == (repeat == 1));
      }
      CHECK(state.create().last_ranges()->cidrs == cidrs);
    }
  }
  // What is left is the last list only.
  CHECK(contents_of(state.create().path()).size() == 2);
}

TEST_CASE("a long list of ranges that lost a part is none", "[records]") {
  State state;
  std::vector<std::string> cidrs;
  for (int i = 0; i < 250; ++i) cidrs.push_back("10.0." + std::to_string(i) + ".0/24");
  RecordFolder records = state.create();
  records.put_last_ranges({"n1", "yurthub", cidrs});
  for (const auto& [name, target] : contents_of(records.path())) {
    CHECK(target.size() <= 1000);
    if (name.ends_with(".1")) std::filesystem::remove(records.path() + "/" + name);
  }
  CHECK_FALSE(state.create().last_ranges().has_value());
}

TEST_CASE("a network that was never retained has no records", "[records]") {
  State state;
  CHECK_FALSE(RecordFolder::open(state.fs, state.path(), "/var/lib/cni/networks/net").has_value());
}

TEST_CASE("the last good ranges are remembered with their node and their source", "[records]") {
  State state;
  RecordFolder records = state.create();
  CHECK_FALSE(records.last_ranges().has_value());
  records.put_last_ranges({"edge-1.example~org", "/etc/a b/~", {"10.1.0.0/24", "2001:db8::/64"}});
  const auto last = state.create().last_ranges();
  REQUIRE(last.has_value());
  CHECK(last->node == "edge-1.example~org");
  CHECK(last->source == "/etc/a b/~");
  CHECK(last->cidrs == std::vector<std::string>{"10.1.0.0/24", "2001:db8::/64"});
  CHECK_FALSE(last->is_anonymous);
}

TEST_CASE("ranges that an earlier version remembered name no node, and give way", "[records]") {
  State state;
  const std::string old = state.create().path() + "/ranges";
  std::filesystem::create_symlink("1~10.1.0.0/24,10.2.0.0/24", old);
  RecordFolder records = state.create();
  const auto last = records.last_ranges();
  REQUIRE(last.has_value());
  CHECK(last->is_anonymous);
  CHECK(last->cidrs.size() == 2);
  records.put_last_ranges({"n1", "yurthub", {"10.3.0.0/24"}});
  CHECK_FALSE(test::exists(old));
  SECTION("undo brings them back") {
    records.undo();
    CHECK(test::exists(old));
    CHECK(state.create().last_ranges()->is_anonymous);
  }
  SECTION("once") {
    RecordFolder again = state.create();
    again.put_last_ranges({"n1", "yurthub", {"10.3.0.0/24"}});
    CHECK(again.changes().empty());
  }
}

TEST_CASE("a damaged record of ranges is none", "[records]") {
  State state;
  RecordFolder records = state.create();
  for (const char* text : {"1~n1~src", "1~n%~src~10.1.0.0/24", "", "nonsense", "1~a~b~c~d"}) {
    const std::string path = records.path() + "/node-ranges";
    std::filesystem::remove(path);
    if (*text != '\0') std::filesystem::create_symlink(text, path);
    CHECK_FALSE(state.create().last_ranges().has_value());
  }
}
