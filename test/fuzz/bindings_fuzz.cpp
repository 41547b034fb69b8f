// A network's folder of records, whose links say anything. The verbs give out no address in use and
// end no attachment's; a pod that gets an address is bound to it; what was remembered of the ranges
// is remembered again.
#include <unistd.h>

#include "allocator/store/state/record_folder.hpp"
#include "test/fuzz/store_inputs.hpp"
#include "test/fuzz/target.hpp"
#include "test/unit/support/store_world.hpp"

namespace {

using allocator::store::RecordFolder;
using fuzz::Input;
using fuzz::require;

constexpr const char* kAlive = "10.0.0.3";
constexpr std::size_t kMostRecords = 16;

std::string address(Input& input) { return "10.0.0." + std::to_string(input.below(16)); }
allocator::PodKey pod_of(Input& input) {
  return test::pod("pod-" + std::to_string(input.below(3)));
}

std::string name_of(Input& input) {
  switch (input.below(8)) {
    case 0:
      return "stamp." + address(input);
    case 1:
      return "node-ranges";
    case 2:
      return "boots";
    case 3:
      return input.text();
    case 4:
    case 5:
      return allocator::store::hint_name(pod_of(input));
    default:
      return "ip." + address(input);
  }
}

std::string target_of(Input& input) {
  switch (input.below(4)) {
    case 0:
      return encode(allocator::Binding{pod_of(input), input.text(), input.byte(), 0, "11111111"});
    case 1:
      return encode(allocator::PodHint{{test::ip(address(input)), test::ip(address(input))}, {}});
    default:
      return input.text();
  }
}

/// A node with one pod that lives, and these records.
class Node {
 public:
  explicit Node(Input& input) : world_(test::sets_of({"10.0.0.0/28"})) {
    test::write_text(world_.network_file(kAlive), test::owner("alive"));
    std::filesystem::create_directories(world_.record_dir());
    for (std::size_t left = input.below(kMostRecords); left > 0; --left) {
      const std::string name = name_of(input);
      const std::string target = target_of(input);
      if (name.find('/') != name.npos) continue;
      // What the kernel does not take is left out.
      if (::symlink(target.c_str(), (world_.record_dir() + "/" + name).c_str()) != 0) continue;
    }
  }

  void command(Input& input) {
    const std::string id = "c" + std::to_string(input.below(3));
    const auto key = pod_of(input);
    const auto before = world_.files();
    if (input.coin()) {
      static_cast<void>(fuzz::accepted_by_store(
          [&] { return world_.leases().release(world_.release_request(id, "eth0", key)); }));
    } else {
      add(world_.request(id, key.pod_name), before);
    }
    require(world_.files()[kAlive] == test::owner("alive"), "the living pod has lost its file");
  }

  void check_ranges() {
    const auto remembered = fuzz::accepted_by_store([&] { return reopened().last_ranges(); });
    if (!remembered || !*remembered || (*remembered)->is_anonymous) return;
    const auto is_put = fuzz::accepted_by_store([&] {
      reopened().put_last_ranges(**remembered);
      return true;
    });
    if (!is_put) return;
    const auto again = reopened().last_ranges();
    require(again && again->node == (*remembered)->node && again->source == (*remembered)->source &&
                again->cidrs == (*remembered)->cidrs,
            "other ranges are remembered");
  }

 private:
  RecordFolder reopened() {
    return std::move(
        *RecordFolder::open(world_.fs, world_.options.state_dir, world_.options.network_dir));
  }

  void add(const allocator::store::AddRequest& request, const test::Contents& before);

  test::StoreWorld world_;
};

void Node::add(const allocator::store::AddRequest& request, const test::Contents& before) {
  const auto lease = fuzz::accepted_by_store([&] { return world_.leases().add(request); });
  if (!lease) return;
  for (const auto& pick : lease->picks) {
    const std::string name = pick.address.to_string();
    const auto there = before.find(name);
    require(there == before.end() || there->second == lease->owner,
            "ADD gives out " + name + ", which is in use");
    const auto binding = world_.binding(name);
    require(binding && binding->pod == *request.owner.pod, "ADD gives out " + name + " unbound");
  }
}

void run(std::string_view bytes) {
  Input input(bytes);
  Node node(input);
  node.check_ranges();
  for (int i = 0; i < 6 && !input.is_empty(); ++i) node.command(input);
}

const fuzz::Registration kTarget("bindings", &run);

}  // namespace
