// What the index says is what a scan of the folder says, whoever changed it and however.
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "allocator/store/state/network_dir.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/clock_tick.hpp"
#include "test/unit/support/faults.hpp"
#include "test/unit/support/random.hpp"
#include "test/unit/support/store_world.hpp"
#include "test/unit/support/story.hpp"

using allocator::Address;
using allocator::store::AttachmentFile;
using allocator::store::Directory;
using allocator::store::NetworkDir;
using allocator::store::RunFolder;
using test::ArmedFault;
using test::Call;
using test::Contents;
using test::Fault;
using test::ip;
using test::Mode;
using test::once;
using test::owner;
using test::Random;
using test::sets_of;
using test::StoreWorld;
using test::wait_for_next_tick;

namespace {

namespace fs = std::filesystem;
using Times = std::array<timespec, 2>;

constexpr std::size_t kPods = 40;  // more than an index is made for

/// The two times of a folder that a program can set.
Times times_of(const std::string& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return {status.st_atim, status.st_mtim};
}

void set_times(const std::string& path, const Times& times) {
  REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times.data(), 0) == 0);
}

/// A folder with so many pods, and an index of it.
class IndexedWorld : public StoreWorld {
 public:
  explicit IndexedWorld(std::size_t pods = kPods) : StoreWorld(sets_of({"10.0.0.0/23"})) {
    for (std::size_t i = 0; i < pods; ++i) add(container(i), "pod-" + std::to_string(i));
  }

  static std::string container(std::size_t number) { return "c" + std::to_string(number); }

  [[nodiscard]] std::string index_file() const {
    for (const auto& entry : fs::directory_iterator(options.run_dir)) {
      if (fs::exists(entry.path() / "index")) return entry.path() / "index";
    }
    return {};
  }

  /// Compares what a command would find out with what is there; counts in `looked_up` when it did
  /// so without reading the folder.
  void check_answers(Random& random) {
    NetworkDir scanned(fs, *fs.open_directory(options.network_dir));
    scanned.scan();
    NetworkDir looking(fs, *fs.open_directory(options.network_dir));
    RunFolder run(fs, options.run_dir, fs.identify(looking.folder().fd));
    bool was_listed = false;
    fs.before = [&](const Call& call) { was_listed = was_listed || call.method == "list"; };
    looking.use_index(&run, boot_id());
    looking.look();
    for (int i = 0; i < 4; ++i) check_attachment(looking, scanned, container(random.below(kPods)));
    const Address address = ip("10.0.0." + std::to_string(1 + random.below(80)));
    CHECK(looking.is_in_use(address) == scanned.is_in_use(address));
    CHECK(looking.holder(address) == scanned.holder(address));
    fs.before = [](const Call&) {};
    if (!was_listed) ++looked_up;
  }
  void check_all_answers() {
    Random random;
    for (std::size_t i = 0; i < kPods; ++i) check_answers(random);
  }

  [[nodiscard]] std::string boot_id() {
    return allocator::store::read_boot_id(fs, options.boot_id_path);
  }

  int looked_up = 0;

 private:
  static void check_attachment(NetworkDir& looking, NetworkDir& scanned, const std::string& id) {
    INFO(id);
    for (const char* ifname : {"eth0", "eth1"}) {
      const allocator::Attachment attachment{id, ifname};
      CHECK(names(looking.find(attachment)) == names(scanned.find(attachment)));
      CHECK(looking.claimed_by(attachment) == scanned.claimed_by(attachment));
    }
    CHECK(names(looking.find_container(id)) == names(scanned.find_container(id)));
  }

  static std::vector<std::string> names(const std::vector<AttachmentFile>& files) {
    std::vector<std::string> names;
    for (const auto& file : files) names.push_back(file.name + " " + file.owner);
    return names;
  }
};

/// What goes on around our commands: others at the folder, with and without a word in its times.
class Strangers {
 public:
  Strangers(IndexedWorld& world, Random& random)
      : world_(world), random_(random), folder_(world.options.network_dir) {}

  /// One event; tells what it was.
  std::string act() {
    if (random_.coin()) clean_up();
    const std::string container = IndexedWorld::container(random_.below(kPods));
    switch (random_.below(18)) {
      case 0:
      case 1:
        return add(container);
      case 2:
      case 3:
        world_.release(container);
        return "DEL " + container;
      case 4:
        return reserve(container, "eth0");
      case 5:
        return reserve(container, random_.coin() ? "eth1" : "");
      case 6:
        return remove_one();
      case 7:
        return touch();
      case 8:
        return put_time_back(container);
      case 9:
        backup_ = test::contents_of(folder_);
        backup_times_ = times_of(folder_);
        return "backup";
      case 10:
        return restore();
      case 11:
        return replace_folder();
      case 12:
        return odd_file();
      case 13:
        return nest();
      case 14:
        world_.fs.has_unnamed_files = random_.coin();
        return "unnamed files or not";
      case 15:
        static_cast<void>(world_.leases().collect({{container, "eth0"}}));
        return "GC of all but " + container;
      case 16:
        return set_clock();
      default:
        return lose_index();
    }
  }

 private:
  /// The same IDs come again: 10 minutes after their DEL, as no ADD is older.
  std::string add(const std::string& container) {
    for (const auto& entry : fs::directory_iterator(world_.options.run_dir))
      fs::remove_all(entry.path() / "tombs");
    try {
      world_.add(container, "pod-" + container);
    } catch (const allocator::Error&) {
      return "ADD " + container + " fails";
    }
    return "ADD " + container;
  }

  std::string address() { return "10.0.0." + std::to_string(2 + random_.below(80)); }

  /// As the Go plugin does: a new file, then its content. host-local 0.7 wrote the ID alone.
  std::string reserve(const std::string& container, const std::string& ifname) {
    const std::string name = address();
    if (!test::exists(folder_ + "/" + name))
      test::write_text(folder_ + "/" + name, ifname.empty() ? container : owner(container, ifname));
    return "somebody reserves " + name + " for " + container;
  }

  std::string remove_one() {
    const std::string name = address();
    fs::remove(folder_ + "/" + name);
    return "rm " + name;
  }

  std::string touch() {
    ::utimensat(AT_FDCWD, folder_.c_str(), nullptr, 0);
    return "touch";
  }

  /// A change that is hidden by putting the folder's time back; in the same tick of the kernel's
  /// clock nobody could tell it, see the README.
  std::string put_time_back(const std::string& container) {
    wait_for_next_tick();
    const Times before = times_of(folder_);
    const std::string what = reserve(container, "eth0");
    set_times(folder_, before);
    return what + ", and puts the time back";
  }

  /// cp -a: what is there is overwritten in its place, the folder's time is the backup's.
  std::string restore() {
    if (!backup_) return "no backup";
    wait_for_next_tick();
    for (const auto& [name, content] : *backup_) {
      const std::string path = folder_ + "/" + name;
      if (name != "lock" && content != "(folder)" && !test::exists(path))
        test::write_text(path, content);
    }
    set_times(folder_, backup_times_);
    return "restore";
  }

  /// Another folder in its place, which says that it is as old.
  std::string replace_folder() {
    const Times before = times_of(folder_);
    const std::string away = folder_ + ".away";
    fs::rename(folder_, away);
    fs::copy(away, folder_, fs::copy_options::recursive);
    fs::remove(folder_ + "/" + address());
    set_times(folder_, before);
    fs::remove_all(away);
    return "another folder";
  }

  /// What keeps the folder from having an index goes again.
  void clean_up() {
    if (!odd_file_.empty()) fs::remove(odd_file_);
    odd_file_.clear();
    fs::remove_all(folder_ + "/net");
    world_.fs.has_unnamed_files = true;
  }

  std::string odd_file() {
    const std::string path = folder_ + "/" + (random_.coin() ? "note" : address());
    if (test::exists(path)) {
      fs::remove(path);
    } else {
      test::write_text(path, random_.coin() ? "" : owner("c1"));
      odd_file_ = path;
    }
    return "odd file " + path;
  }

  std::string nest() {
    const std::string nested = folder_ + "/net";
    if (!test::exists(nested)) {
      fs::create_directory(nested);
    } else if (random_.coin()) {
      test::write_text(nested + "/" + address(), owner("nested"));
    } else {
      fs::remove_all(nested);
    }
    return "nested folder";
  }

  /// Back or forth, by up to an hour.
  std::string set_clock() {
    constexpr std::int64_t most_ms = 3'600'000;
    const auto by = static_cast<std::int64_t>(random_.below(2 * most_ms)) - most_ms;
    world_.fs.set_clock(by * 1'000'000);
    return "clock set by " + std::to_string(by) + " ms";
  }

  std::string lose_index() {
    const std::string index = world_.index_file();
    if (index.empty()) return "no index";
    if (random_.coin()) {
      fs::remove(index);
      return "index lost";
    }
    fs::resize_file(index, random_.below(4096));
    return "index cut";
  }

  IndexedWorld& world_;
  Random& random_;
  std::string folder_;
  std::string odd_file_;
  std::optional<Contents> backup_;
  Times backup_times_{};
};

int operations() {
  const char* given = std::getenv("INDEX_OPERATIONS");
  return given == nullptr ? 1500 : std::atoi(given);
}

}  // namespace

TEST_CASE("what is looked up is what a scan finds, whatever others do to the folder", "[index]") {
  Random random;
  INFO(Random::note());
  IndexedWorld world;
  Strangers strangers(world, random);
  std::vector<std::string> history;
  const int count = operations();
  for (int i = 0; i < count; ++i) {
    history.push_back(strangers.act());
    if (history.size() > 8) history.erase(history.begin());
    CAPTURE(i, history);
    world.check_answers(random);
  }
  CHECK(world.looked_up > count / 20);
}

TEST_CASE("ADD and DEL of an indexed folder read no other pod's file and list nothing", "[index]") {
  IndexedWorld world;
  std::vector<std::string> seen;
  world.fs.before = [&](const Call& call) { seen.push_back(call.method + " " + call.subject); };
  CHECK(world.add("new", "new") == "10.0.0.42");
  CHECK(world.release("c7") == "10.0.0.9");
  CHECK(world.release("nobody").empty());
  world.fs.before = [](const Call&) {};
  const std::vector<std::string> strange = {"list " + world.options.network_dir,
                                            "read_file 10.0.0.8", "read_file 10.0.0.10"};
  for (const auto& call : strange) {
    INFO(call);
    CHECK(std::find(seen.begin(), seen.end(), call) == seen.end());
  }
}

TEST_CASE("few files are read: no index is made of them, and the folder's time is left alone",
          "[index]") {
  IndexedWorld world(5);
  CHECK(world.index_file().empty());
  world.release("c1");
  CHECK(world.index_file().empty());
}

TEST_CASE("a folder with what is no attachment's file is read each time", "[index]") {
  IndexedWorld world;
  const std::string name = GENERATE("10.0.0.200", "note", "10.0.0.9_default_pod-7");
  const std::string content = name == "note" ? owner("c1") : "";
  test::write_text(world.network_file(name), content);
  world.add("new", "new");
  world.check_all_answers();
  CHECK(world.looked_up == 0);
  fs::remove(world.network_file(name));
  world.release("new");
  world.check_all_answers();
  CHECK(world.looked_up > 0);
}

TEST_CASE("the addresses of a nested folder count, and end the index", "[index]") {
  IndexedWorld world;
  test::write_text(world.network_file("net/10.0.0.42"), owner("other"));
  CHECK(world.add("new", "new") == "10.0.0.43");
  world.check_all_answers();
  CHECK(world.looked_up == 0);
}

TEST_CASE("a nested folder ends the index before anything is in it", "[index]") {
  IndexedWorld world;
  fs::create_directory(world.network_file(GENERATE("net", "another")));
  world.add("new", "new");
  world.check_all_answers();
  CHECK(world.looked_up == 0);
  fs::create_directories(world.network_file("net"));
  test::write_text(world.network_file("net/10.0.0.43"), owner("other"));
  CHECK(world.add("newer", "newer") == "10.0.0.44");
}

TEST_CASE("a file system that keeps no time of birth has an index too", "[index]") {
  IndexedWorld world(3);
  world.fs.has_birth_times = false;
  for (std::size_t i = 3; i < kPods; ++i)
    world.add(IndexedWorld::container(i), "pod-" + std::to_string(i));
  world.check_all_answers();
  CHECK(world.looked_up > 0);
}

TEST_CASE("a file that is damaged after the index was made is found out", "[index]") {
  IndexedWorld world;
  test::write_text(world.network_file("last_reserved_ip.0"), "10.0.0.8");
  const int error = GENERATE(EIO, EUCLEAN);
  const std::string method = GENERATE("identify", "read_file");
  CAPTURE(error, method);
  const auto is_damaged = [error, method](const Call& call) {
    if (call.method == method && call.subject == "10.0.0.9")
      throw std::system_error(error, std::generic_category(), "damaged");
  };
  world.fs.before = is_damaged;
  // Others come up, whatever way they look; its own pod gets another address.
  CHECK(world.add("new", "new") == "10.0.0.42");
  CHECK(world.add("again", "pod-7") == "10.0.0.43");
  CHECK(world.add("newer", "newer") == "10.0.0.44");
  world.fs.before = [](const Call&) {};
  CHECK(world.release("c7") == "10.0.0.9");
  world.check_all_answers();
}

TEST_CASE("a file that somebody writes over in its place is found by its new content", "[index]") {
  IndexedWorld world;
  test::write_text(world.network_file("10.0.0.9"), owner("c5"));
  CHECK(world.release("c7").empty());  // it looks there, and then at everything
  CHECK(world.release("c5") == "10.0.0.7 10.0.0.9");
}

TEST_CASE("an index that is not plainly ours is no index", "[index]") {
  IndexedWorld world;
  const std::string index = world.index_file();
  REQUIRE_FALSE(index.empty());
  const std::string kept = test::read_text(index);
  const int kind = GENERATE(range(0, 12));
  CAPTURE(kind);
  const auto rewrite = [&](const std::string& bytes) { test::write_text(index, bytes); };
  const auto changed_at = [&](std::size_t place) {
    std::string bytes = kept;
    bytes[place] = static_cast<char>(bytes[place] + 1);
    return bytes;
  };
  switch (kind) {
    case 0:
      rewrite("");
      break;
    case 1:
      rewrite("x");
      break;
    case 2:
      rewrite(std::string(kept.size(), '\xff'));
      break;
    case 3:
      rewrite(kept.substr(0, kept.size() - 1));
      break;
    case 4:
      rewrite(kept + std::string(kept.size(), '\0'));
      break;
    case 5:
      rewrite(changed_at(0));  // format
      break;
    case 6:
      rewrite(changed_at(10));  // boot
      break;
    case 7:
      fs::permissions(index, fs::perms::others_write, fs::perm_options::add);
      break;
    case 8:
      fs::create_hard_link(index, index + ".too");
      break;
    case 9:
      fs::rename(index, index + ".there");
      fs::create_symlink(index + ".there", index);
      break;
    case 10:
      fs::remove(index);
      REQUIRE(::mkfifo(index.c_str(), 0600) == 0);
      break;
    default:
      fs::remove(index);
      fs::create_directory(index);
  }
  world.check_all_answers();
  CHECK(world.looked_up == 0);
  CHECK(world.add("new", "new") == "10.0.0.42");
  world.check_all_answers();
}

TEST_CASE("an index whose table is full of nonsense ends every look-up", "[index]") {
  IndexedWorld world;
  Random random;
  INFO(Random::note());
  const std::string index = world.index_file();
  std::string bytes = test::read_text(index);
  constexpr std::size_t kHeader = 144;
  for (std::size_t i = kHeader; i < bytes.size(); ++i)
    bytes[i] = static_cast<char>(1 + random.below(255));
  {
    std::fstream file(index, std::ios::binary | std::ios::in | std::ios::out);
    file << bytes;
  }
  bool was_listed = false;
  world.fs.before = [&](const Call& call) { was_listed = was_listed || call.method == "list"; };
  {
    // The header is as it was: every look-up is believed to be one, and must end.
    NetworkDir looking(world.fs, *world.fs.open_directory(world.options.network_dir));
    RunFolder run(world.fs, world.options.run_dir, world.fs.identify(looking.folder().fd));
    looking.use_index(&run, world.boot_id());
    looking.look();
    CHECK_FALSE(was_listed);
    CHECK(looking.find({"c7", "eth0"}).size() == 1);
    CHECK(was_listed);
  }
  world.fs.before = [](const Call&) {};
  CHECK(world.add("new", "new") == "10.0.0.42");
  world.check_all_answers();
}

TEST_CASE("a command that is killed anywhere leaves no index that is wrong", "[index]") {
  const std::string command = GENERATE("ADD", "takeover", "DEL");
  for (int at = 1;; ++at) {
    IndexedWorld world(20);
    bool was_met = false;
    std::string call;
    {
      const ArmedFault fault(world.fs, {at, EIO, Mode::crashes});
      try {
        if (command == "DEL") {
          world.release("c3");
        } else {
          world.add("new", command == "ADD" ? "new" : "pod-3");
        }
      } catch (const std::exception&) {
        was_met = true;
      }
      was_met = was_met || fault.was_met();
      call = fault.call();
    }
    CAPTURE(command, at, call);
    world.check_all_answers();
    if (!was_met) break;
  }
}

TEST_CASE("a single failing call costs the index, never an answer", "[index]") {
  const std::string command = GENERATE("ADD", "DEL");
  const int error = GENERATE(EIO, ENOSPC);
  for (int at = 1;; ++at) {
    IndexedWorld world(20);
    bool was_met = false;
    {
      const ArmedFault fault(world.fs, {at, error, Mode::fails});
      try {
        if (command == "DEL") {
          world.release("c3");
        } else {
          world.add("new", "new");
        }
      } catch (const std::exception&) {
        was_met = true;
      }
      was_met = was_met || fault.was_met();
    }
    CAPTURE(command, error, at);
    world.check_all_answers();
    if (!was_met) break;
  }
}

TEST_CASE("an index of another boot says nothing", "[index]") {
  IndexedWorld world;
  const std::string kept = world.options.run_dir + ".kept";
  fs::copy(world.options.run_dir, kept,
           fs::copy_options::recursive | fs::copy_options::copy_symlinks);
  world.boot("11111111-aaaa-4bbb-8ccc-000000000002");
  fs::rename(kept, world.options.run_dir);
  world.check_all_answers();
  CHECK(world.looked_up == 0);
}

TEST_CASE("a file system that keeps whole seconds has an index too", "[index]") {
  IndexedWorld world(3);
  world.fs.time_step_ns = 1'000'000'000;
  for (std::size_t i = 3; i < kPods; ++i)
    world.add(IndexedWorld::container(i), "pod-" + std::to_string(i));
  world.check_all_answers();
  CHECK(world.looked_up > 0);
}

TEST_CASE("many addresses in the way are passed over by one list of names", "[index]") {
  IndexedWorld world(200);
  test::write_text(world.network_file("last_reserved_ip.0"), "10.0.0.1");
  int looks = 0;
  int lists = 0;
  world.fs.before = [&](const Call& call) {
    if (call.method == "identify" && call.subject.starts_with("10.0.0.")) ++looks;
    if (call.method == "list") ++lists;
  };
  CHECK(world.add("new", "new") == "10.0.0.202");
  world.fs.before = [](const Call&) {};
  CHECK(looks <= 70);
  CHECK(lists == 1);
}

namespace {

/// A pool in which every address but one is held, by pods of three namespaces.
class CrowdedWorld : public StoreWorld {
 public:
  CrowdedWorld() : StoreWorld(sets_of({"10.0.0.0/26"})) {
    for (int i = 0; i < kAddresses; ++i) come_and_go(i);
  }

  void come_and_go(int number) {
    const std::string container = "h" + std::to_string(number);
    auto wish = request(container, "pod-" + std::to_string(number));
    wish.owner.pod->pod_namespace = "n" + std::to_string(number % 3);
    add(wish);
    leases().release(release_request(container, "eth0", wish.owner.pod));
  }

  /// A new pod, which needs an eviction. Tells which address it got, and counts the records read.
  std::string newcomer(const std::string& name, const std::string& space = "n1") {
    surveys = 0;
    fs.before = [this](const Call& call) {
      if (call.method == "list" && call.subject == record_dir()) ++surveys;
    };
    auto wish = request("new-" + name, name);
    wish.owner.pod->pod_namespace = space;
    const std::string address = add(wish);
    fs.before = [](const Call&) {};
    return address;
  }

  static constexpr int kAddresses = 61;
  int surveys = 0;  ///< how often the newcomer's ADD had to look at all records
};

}  // namespace

TEST_CASE("after the first eviction the next ones do not look at all records", "[index]") {
  CrowdedWorld world;
  CHECK(world.newcomer("a") == "10.0.0.3");
  CHECK(world.surveys == 1);
  CHECK(world.newcomer("b") == "10.0.0.6");
  CHECK(world.surveys == 0);
  CHECK(world.newcomer("c", "other") == "10.0.0.2");
  CHECK(world.surveys == 0);
}

TEST_CASE("a record that is damaged after the list of held ones was made is passed over",
          "[index]") {
  CrowdedWorld world;
  REQUIRE(world.newcomer("a") == "10.0.0.3");
  world.fs.before = [](const Call& call) {
    if (call.method == "read_link" && call.subject == "ip.10.0.0.6")
      throw std::system_error(EBADMSG, std::generic_category(), "damaged");
  };
  auto wish = world.request("new-b", "b");
  wish.owner.pod->pod_namespace = "n1";
  CHECK(world.add(wish) == "10.0.0.9");
}

TEST_CASE("an eviction by the index is the one that reading everything would choose", "[index]") {
  Random random;
  INFO(Random::note());
  CrowdedWorld world;
  std::vector<std::string> history;
  int by_index = 0;
  for (int i = 0; i < 60; ++i) {
    const std::string name = "r" + std::to_string(i);
    const std::string space = "n" + std::to_string(random.below(4));
    const std::size_t what = random.below(6);
    history.push_back(space + "/" + name + " " + std::to_string(what));
    CAPTURE(history);
    const std::string state = world.record_dir();
    if (what == 0) {  // somebody ends a binding
      fs::remove(state + "/ip.10.0.0." + std::to_string(2 + random.below(60)));
    } else if (what == 1) {  // the Go plugin takes an address that is held
      const std::string path = world.network_file("10.0.0." + std::to_string(2 + random.below(60)));
      if (!test::exists(path)) test::write_text(path, owner("go-" + name));
    } else if (what == 2) {
      fs::remove(world.network_file("10.0.0." + std::to_string(2 + random.below(60))));
    } else if (what == 3 && i > 0) {
      world.leases().release(world.release_request("new-r" + std::to_string(i - 1)));
    }
    // The same question, once with the index and once without, from the same state.
    const std::string copy = world.options.run_dir + "/../copy";
    fs::remove_all(copy);
    fs::create_directories(copy);
    for (const char* part : {"networks", "state", "run"})
      fs::copy(world.options.run_dir + "/../" + part, copy + "/" + part,
               fs::copy_options::recursive | fs::copy_options::copy_symlinks);
    auto wish = world.request("new-" + name, name);
    wish.owner.pod->pod_namespace = space;
    auto elsewhere = world.options;
    elsewhere.network_dir = copy + "/networks/net";
    elsewhere.run_dir = copy + "/run";
    elsewhere.state_dir = copy + "/state";
    fs::rename(copy + "/state/" + allocator::store::record_folder_name(world.options.network_dir),
               copy + "/state/" + allocator::store::record_folder_name(elsewhere.network_dir));
    std::string expected;
    std::string got;
    try {
      allocator::store::LeaseStore scanning(world.fs, elsewhere);
      expected = test::joined(StoreWorld::picked(scanning.add(wish)));
    } catch (const std::exception&) {
      expected = "none";
    }
    try {
      got = world.newcomer(name, space);
    } catch (const std::exception&) {
      got = "none";
    }
    CHECK(got == expected);
    if (world.surveys == 0 && got != "none") ++by_index;
  }
  CHECK(by_index > 5);
}

TEST_CASE("the count of what is held reads no records where the index has it", "[index]") {
  CrowdedWorld world;
  world.newcomer("a");
  int most = 0;
  for (int i = 0; i < 70; ++i) {  // every 64th DEL counts
    const std::string container = "x" + std::to_string(i);
    const auto key = test::pod(container);
    world.add(container, container);
    int read = 0;
    world.fs.before = [&](const Call& call) {
      if (call.method == "read_link" && call.subject.starts_with("ip.")) ++read;
    };
    world.release(container, "eth0", key);
    world.fs.before = [](const Call&) {};
    most = std::max(most, read);
  }
  CHECK(most <= 4);
  CHECK(world.orphans().empty());
}

TEST_CASE("a file that somebody makes without the lock in the middle of a command is found",
          "[index]") {
  IndexedWorld world;
  const std::string command = GENERATE("ADD", "DEL", "unknown DEL", "making");
  CAPTURE(command);
  const auto make = [&] {
    wait_for_next_tick();
    test::write_text(world.network_file("10.0.0.200"), owner("c5"));
  };
  if (command == "ADD") {
    world.fs.before = once("create_file", make);
    world.add("new", "new");
  } else if (command == "DEL") {
    world.fs.before = once("make_link", make);  // the word for whoever comes after a kill
    world.release("c7");
  } else if (command == "making") {
    fs::remove(world.index_file());
    world.fs.before = once("map_new_file", make);
    world.add("new", "new");
  } else {
    fs::remove(world.network_file("10.0.0.9"));  // there is a scan
    world.fs.before = once("read_file", make);
    world.release("nobody");
  }
  world.fs.before = [](const Call&) {};
  world.check_all_answers();
  CHECK(world.release("c5") == "10.0.0.200 10.0.0.7");
}

TEST_CASE("a nested folder that is made right before the mark counts", "[index]") {
  IndexedWorld world;
  world.fs.before = once("set_modified", [&] {
    test::write_text(world.network_file("net/10.0.0.43"), owner("other"));
  });
  CHECK(world.add("new", "new") == "10.0.0.42");
  world.fs.before = [](const Call&) {};
  CHECK(world.add("newer", "newer") == "10.0.0.44");
}

TEST_CASE("an index tells of the folder whose times it was sealed with, and of no other",
          "[index]") {
  using allocator::store::AttachmentIndex;
  const test::TempDir dir;
  test::HookedFileSystem files;
  const auto run = files.open_directory(dir.path());
  REQUIRE(run);
  const std::string boot = "11111111-aaaa-4bbb-8ccc-000000000001";
  const std::string other_boot = "11111111-aaaa-4bbb-8ccc-000000000002";
  const allocator::store::FileIdentity sealed{1, 7, allocator::store::FileKind::directory, 0, 5,
                                              9, 11};
  {
    auto made = AttachmentIndex::make(files, *run, {boot, sealed}, {{"c1", ip("10.0.0.2")}}, 0);
    REQUIRE(made);
    CHECK_FALSE(made->tells_of({boot, sealed}));
    made->seal(sealed);
  }
  auto index = AttachmentIndex::open(files, *run);
  REQUIRE(index);
  CHECK(index->tells_of({boot, sealed}));
  CHECK_FALSE(index->tells_of({other_boot, sealed}));
  const auto differs = [&](auto member) {
    auto other = sealed;
    ++(other.*member);
    return !index->tells_of({boot, other});
  };
  using allocator::store::FileIdentity;
  CHECK(differs(&FileIdentity::device));
  CHECK(differs(&FileIdentity::inode));
  CHECK(differs(&FileIdentity::born_ns));
  CHECK(differs(&FileIdentity::changed_ns));   // a time that was put back
  CHECK(differs(&FileIdentity::modified_ns));  // a change in the same tick
  index->begin();
  CHECK_FALSE(index->tells_of({boot, sealed}));
}

TEST_CASE("a list of held addresses tells of the records that it was sealed with", "[index]") {
  using allocator::store::AttachmentIndex;
  using allocator::store::FileIdentity;
  const test::TempDir dir;
  test::HookedFileSystem files;
  const auto run = files.open_directory(dir.path());
  REQUIRE(run);
  const FileIdentity sealed{1, 7, allocator::store::FileKind::directory, 0, 5, 9, 11};
  auto index = AttachmentIndex::make(files, *run, {"boot", sealed}, {}, 10);
  REQUIRE(index);
  index->set_held({{ip("10.0.0.2"), 1, 2, 3}, {ip("2001:db8::2"), 1, 2, 4}});
  CHECK(index->held().size() == 2);
  index->trust_held(sealed);
  CHECK_FALSE(index->is_held_trusted());  // not sealed yet
  index->seal_held(sealed);
  index->trust_held(sealed);
  CHECK(index->is_held_trusted());
  for (const auto member : {&FileIdentity::changed_ns, &FileIdentity::modified_ns}) {
    auto other = sealed;
    ++(other.*member);
    index->trust_held(other);
    CHECK_FALSE(index->is_held_trusted());
  }
  index->remove_held(ip("10.0.0.2"));
  REQUIRE(index->held().size() == 1);
  CHECK(index->held().front().address == ip("2001:db8::2"));
}
