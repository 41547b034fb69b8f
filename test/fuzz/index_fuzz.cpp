// The index of a full folder with any bytes in it. One that is believed, since its header names the
// folder as it is, must not be able to hide an address in use: whether one is in use the folder
// says, no command gives it to anybody else, and none but its owner's DEL frees it.
//
// An input is a byte of switches, and what is written over the index that the store made: place (2
// bytes), count, bytes. Behind the place 0xffff: a length that the file is cut to. With the switch
// kRaw the bytes are the whole file. Unless kAnyHeader is on, the header's names and times are put
// right behind that, so that the index is believed.
#include <algorithm>
#include <cstring>
#include <fstream>

#include "allocator/store/state/network_dir.hpp"
#include "allocator/store/state/run_folder.hpp"
#include "test/fuzz/store_inputs.hpp"
#include "test/fuzz/target.hpp"
#include "test/unit/support/store_world.hpp"

namespace {

using allocator::store::NetworkDir;
using allocator::store::RunFolder;
using fuzz::Input;
using fuzz::require;

constexpr unsigned kRaw = 1, kAnyHeader = 2, kAdd = 4, kWithPod = 8, kRelease = 16;
constexpr std::size_t kCut = 0xffff;
constexpr std::size_t kLongest = 65536;
constexpr std::size_t kPods = 18;      // more than an index is made for
constexpr std::size_t kHeldPods = 11;  // with those of the others the range is full
constexpr const char* kNewcomer = "newcomer";

/// Where the header has what must be right, see AttachmentIndex::Header.
struct Kept {
  std::size_t from;
  std::size_t to;
};
constexpr Kept kIdentity = {0, 72};  // format, boot, the folder's numbers and birth
constexpr Kept kTimes = {104, 144};  // of the records' folder and of the folder

std::string container(std::size_t number) { return "c" + std::to_string(number); }

/// A full range: some in use, the others held by pods that have gone.
class FullNode {
 public:
  FullNode() : world_(test::sets_of({"10.0.0.0/27"})) {
    for (std::size_t i = 0; i < kPods; ++i) world_.add(container(i), "pod-" + std::to_string(i));
    for (std::size_t i = 0; i < kHeldPods; ++i) come_and_go("held-" + std::to_string(i));
    files_ = test::contents_of(world_.options.network_dir);
    records_ = test::contents_of(world_.record_dir());
  }

  /// An index that the store has made of the folder as it is, and its bytes.
  std::string restored_index() {
    world_.fs.start_command();
    restore(world_.options.network_dir, files_);
    restore_links(world_.record_dir(), records_);
    // The same IDs come again, as if they were others.
    std::filesystem::remove_all(world_.run_folder() + "/tombs");
    come_and_go("evictor");  // with an eviction the index gets a list of the held ones
    return test::read_text(index_file());
  }

  [[nodiscard]] std::string index_file() const { return world_.run_folder() + "/index"; }
  void write_index(const std::string& bytes) {
    std::ofstream file(index_file(), std::ios::binary | std::ios::trunc);
    file << bytes;
  }

  void check_looks() {
    NetworkDir scanned(world_.fs, *world_.fs.open_directory(world_.options.network_dir));
    scanned.scan();
    NetworkDir looking(world_.fs, *world_.fs.open_directory(world_.options.network_dir));
    RunFolder run(world_.fs, world_.options.run_dir, world_.fs.identify(looking.folder().fd));
    looking.use_index(&run, boot_id());
    looking.look();
    for (unsigned number = 0; number < 32; ++number) {
      const allocator::Address address(allocator::Family::v4, 0x0a000000U + number);
      require(looking.is_in_use(address) == scanned.is_in_use(address),
              "in use, or not: " + address.to_string());
      require(looking.holder(address) == scanned.holder(address),
              "held by another: " + address.to_string());
    }
    for (std::size_t i = 0; i < kPods; ++i) check_found(looking, scanned, container(i));
  }

  void add(bool with_pod) {
    const auto before = world_.files();
    const auto lease = fuzz::accepted_by_store(
        [&] { return world_.leases().add(world_.request(kNewcomer, with_pod ? "new" : "")); });
    require(lease.has_value(), "no address for a newcomer, although some are held");
    for (const auto& pick : lease->picks) {
      const std::string name = pick.address.to_string();
      require(!before.contains(name), "ADD gives out " + name + ", which is in use");
    }
    check_kept(before, kNewcomer);
  }

  void release(const std::string& id) {
    const auto before = world_.files();
    static_cast<void>(fuzz::accepted_by_store(
        [&] { return world_.leases().release(world_.release_request(id)); }));
    check_kept(before, id);
  }

 private:
  void come_and_go(const std::string& name) {
    world_.add(name, name);
    world_.release(name, "eth0", test::pod(name));
  }

  std::string boot_id() {
    return allocator::store::read_boot_id(world_.fs, world_.options.boot_id_path);
  }

  /// What is found is there. What is not found: nobody but who writes to /run can do that.
  static void check_found(NetworkDir& looking, NetworkDir& scanned, const std::string& id) {
    const auto there = scanned.find_container(id);
    for (const auto& file : looking.find_container(id)) {
      require(std::any_of(there.begin(), there.end(),
                          [&](const auto& one) {
                            return one.name == file.name && one.owner == file.owner;
                          }),
              "found for " + id + ", and not its own: " + file.name);
    }
  }

  /// Nothing is gone but what is `id`'s.
  void check_kept(const test::Contents& before, const std::string& id) {
    const auto after = world_.files();
    for (const auto& [name, content] : before) {
      const auto there = after.find(name);
      const bool is_kept = there != after.end() && there->second == content;
      require(is_kept || content == test::owner(id), "somebody else's file is gone: " + name);
    }
  }

  static void restore(const std::string& folder, const test::Contents& wanted) {
    const auto there = test::contents_of(folder);
    for (const auto& [name, content] : there) {
      if (!wanted.contains(name)) std::filesystem::remove(folder + "/" + name);
    }
    for (const auto& [name, content] : wanted) {
      const auto found = there.find(name);
      if (found == there.end() || found->second != content)
        test::write_text(folder + "/" + name, content);
    }
  }

  static void restore_links(const std::string& folder, const test::Contents& wanted) {
    const auto there = test::contents_of(folder);
    for (const auto& [name, target] : there) {
      if (!wanted.contains(name) || wanted.at(name) != target)
        std::filesystem::remove(folder + "/" + name);
    }
    for (const auto& [name, target] : wanted) {
      if (!test::exists(folder + "/" + name))
        std::filesystem::create_symlink(target, folder + "/" + name);
    }
  }

  test::StoreWorld world_;
  test::Contents files_;
  test::Contents records_;
};

std::string written_over(std::string bytes, Input& input) {
  while (!input.is_empty()) {
    const std::size_t place = input.byte() + std::size_t{256} * input.byte();
    if (place == kCut) {
      bytes.resize(input.byte() + std::size_t{256} * input.byte());
      continue;
    }
    const std::string over = input.text();
    if (!bytes.empty()) bytes.replace(place % bytes.size(), over.size(), over);
  }
  bytes.resize(std::min(bytes.size(), kLongest));
  return bytes;
}

void keep(const std::string& from, Kept part, std::string& bytes) {
  if (bytes.size() < part.to) return;
  bytes.replace(part.from, part.to - part.from, from, part.from, part.to - part.from);
}

void run(std::string_view bytes) {
  static FullNode node;
  Input input(bytes);
  const unsigned switches = input.byte();
  const std::string made = node.restored_index();
  std::string odd =
      (switches & kRaw) != 0 ? input.rest().substr(0, kLongest) : written_over(made, input);
  if ((switches & kAnyHeader) == 0) {
    keep(made, kIdentity, odd);
    keep(made, kTimes, odd);
  }
  node.write_index(odd);
  node.check_looks();
  node.write_index(odd);
  if ((switches & kRelease) != 0) node.release(container(switches >> 5));
  if ((switches & kAdd) != 0) node.add((switches & kWithPod) != 0);
}

const fuzz::Registration kTarget("index", &run);

}  // namespace
