#include "test/proof/invariants.hpp"

#include <algorithm>

#include "allocator/store/state/stamp.hpp"
#include "allocator/store/state/stamp_record.hpp"

namespace proof {
namespace {

using Trouble = std::optional<std::string>;

std::string joined(const std::vector<std::string>& texts) {
  std::string text;
  for (const auto& one : texts) text += (text.empty() ? "" : " ") + one;
  return text;
}

bool is_blank(const std::string& bytes) {
  return bytes.find_first_not_of('\0') == std::string::npos;
}

bool is_alive(const Machine& machine, const std::string& container) {
  return machine.namespaces.count(namespace_path(container)) != 0;
}

/// The stamp of an address file; where the file took none, the records have it.
std::string stamp_of(const Tree& disk, const std::string& address) {
  const Inode& inode = disk.at(disk.lookup(std::string(kNetworkDir) + "/" + address));
  if (inode.attribute) return *inode.attribute;
  const Id record = disk.lookup(std::string(kRecordDir) + "/stamp." + address);
  if (record == 0) return {};
  const store::FileIdentity file{0, inode.number, inode.kind, 0, 0, inode.born_ns, 0};
  return store::stamp_in_record(disk.at(record).bytes, file).value_or("");
}

bool is_stamped_for(const std::string& text, const std::string& container) {
  static std::map<std::string, std::string> hashes;  // asked for with every state
  auto& hash = hashes[container];
  if (hash.empty()) hash = store::container_hash(container);
  const auto stamp = store::decode_stamp(text);
  return stamp && stamp->container_hash == hash;
}

/// I2 of one attachment.
Trouble missing_of(const Tree& disk, const Files& files, const std::string& container,
                   const Told& told) {
  for (const auto& address : told.addresses) {
    const auto file = files.find(address);
    if (file == files.end()) return "I2: the file " + address + " of " + container + " is gone";
    if (file->second != content_of(container))
      return "I2: the file " + address + " of " + container + " is not whole";
    if (told.is_durable && !is_stamped_for(stamp_of(disk, address), container))
      return "I2: the file " + address + " of " + container + " has no stamp of it";
  }
  return std::nullopt;
}

/// I6. `was_killed`: what a process wrote is there, so that a file is blank only where nobody has
/// written into it yet.
Trouble stranger_among(const Files& files, const Oracle& oracle, bool was_killed) {
  for (const auto& [address, content] : files) {
    if (is_blank(content)) {
      if (!was_killed || oracle.blank.count(address) != 0 || oracle.knows("cg")) continue;
      return "I6: the file " + address + " is blank";
    }
    const std::string container = content.substr(0, content.find("\r\n"));
    if (content != content_of(container) || !oracle.knows(container))
      return "I6: the file " + address + " holds what nobody wrote: " + container;
    const auto told = oracle.present.find(container);
    const bool is_exempt =
        oracle.lost.count(container) != 0 || oracle.doubled.count(container) != 0;
    if (told == oracle.present.end() || is_exempt) continue;
    const auto& addresses = told->second.addresses;
    if (std::find(addresses.begin(), addresses.end(), address) == addresses.end())
      return "I6: the file " + address + " is of " + container + ", which was told " +
             joined(addresses);
  }
  return std::nullopt;
}

/// The commands after a crash, on a copy of the node.
class Recovery {
 public:
  Recovery(Machine machine, const Oracle& oracle) : scene_{std::move(machine), oracle} {}

  Scene& scene() { return scene_; }

  /// Every pod that has been told an address gets it again.
  Trouble bring_back(const Oracle& oracle) {
    for (const auto& [pod, choices] : oracle.kept) {
      const auto& some = choices.front();
      const bool is_dual = std::any_of(some.begin(), some.end(), [](const std::string& address) {
        return address.find(':') != std::string::npos;
      });
      const auto answer = add("n" + pod, pod, is_dual ? Ranges::both : Ranges::one);
      if (!answer.is_acknowledged) return "I2: the pod " + pod + " gets nothing: " + answer.failure;
      if (clash_) return clash_;
      if (std::find(choices.begin(), choices.end(), answer.addresses) == choices.end())
        return "I2: the pod " + pod + " had " + joined(some) + " and gets " +
               joined(answer.addresses);
    }
    return std::nullopt;
  }

  /// So many newcomers, as far as there is room: none of them gets what lives.
  Trouble fill(const std::string& prefix, std::size_t count) {
    filled_ = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const std::string name = prefix + std::to_string(i);
      const auto answer = add("n" + name, name, Ranges::one);
      if (clash_) return clash_;
      if (!answer.is_acknowledged) break;
      ++filled_;
    }
    return std::nullopt;
  }
  [[nodiscard]] std::size_t filled() const { return filled_; }

  Trouble delete_all() {
    std::set<std::string> containers = scene_.oracle.unknown;
    for (const auto& file : files_of(scene_.machine.disk))
      containers.insert(file.second.substr(0, file.second.find("\r\n")));
    for (const auto& container : containers) {
      if (is_blank(container)) continue;
      const auto pod = scene_.oracle.pods.find(container);
      if (pod == scene_.oracle.pods.end()) return "I4: whose is " + container + "?";
      Node node(scene_.machine, cache_);
      const std::string failure = node.release(container, pod->second);
      if (!failure.empty()) return "I4: the DEL of " + container + " fails: " + failure;
      scene_.oracle.end(container);
    }
    return std::nullopt;
  }

  void use_cache() { cache_ = &scene_.oracle; }

 private:
  AddAnswer add(const std::string& container, const std::string& pod, Ranges ranges) {
    auto answer = Node(scene_.machine, cache_).add(container, pod, ranges);
    if (!answer.is_acknowledged) return answer;
    const std::string holder = living_holder(scene_, container, answer.addresses);
    if (!holder.empty())
      clash_ =
          "I1: " + container + " gets " + joined(answer.addresses) + ", which " + holder + " has";
    scene_.oracle.tell(container, {pod, answer.addresses});
    return answer;
  }

  Scene scene_;
  const Oracle* cache_ = nullptr;
  Trouble clash_;
  std::size_t filled_ = 0;
};

/// I4. `may_be_blank`: files without content stay until the next boot scan.
Trouble trouble_with_the_rest(Recovery& recovery, bool may_be_blank) {
  if (auto trouble = recovery.delete_all()) return trouble;
  bool has_blank = false;
  for (const auto& [address, content] : files_of(recovery.scene().machine.disk)) {
    has_blank = has_blank || is_blank(content);
    if (!may_be_blank || !is_blank(content)) return "I4: the file " + address + " is left";
  }
  if (auto trouble = recovery.fill("y", kPlaces)) return trouble;
  if (!has_blank && recovery.filled() != kPlaces)
    return "I4: only " + std::to_string(recovery.filled()) + " addresses can be used again";
  return std::nullopt;
}

}  // namespace

Trouble trouble_on_disk(const Tree& disk, const Oracle& oracle, bool needs_all) {
  const Files files = files_of(disk);
  for (const auto& [container, told] : oracle.present) {
    if (oracle.lost.count(container) != 0 || !(told.is_durable || needs_all)) continue;
    if (auto trouble = missing_of(disk, files, container, told)) return trouble;
  }
  for (const auto& container : oracle.ended) {
    if (has_file(files, container)) return "I3: a file of " + container + " is there again";
  }
  return stranger_among(files, oracle, needs_all);
}

Trouble trouble_with_returning(Scene scene) {
  scene.machine.namespaces.clear();
  const Oracle oracle = scene.oracle;
  Recovery recovery(std::move(scene.machine), oracle);
  recovery.use_cache();
  return recovery.bring_back(oracle);
}

std::string living_holder(const Scene& scene, const std::string& container,
                          const std::vector<std::string>& addresses) {
  for (const auto& [other, told] : scene.oracle.present) {
    if (other == container || !is_alive(scene.machine, other)) continue;
    for (const auto& address : told.addresses) {
      if (std::find(addresses.begin(), addresses.end(), address) != addresses.end()) return other;
    }
  }
  return {};
}

Oracle while_running(const Scene& scene, const Operation& operation, const Outcome& outcome) {
  Oracle oracle = scene.oracle;
  const bool is_add = !operation.pods.empty();
  for (const auto& container : operation.containers) {
    if (is_add) oracle.pods[container] = operation.pods.front();
    // A repeated ADD takes nothing away, nor does one that is about another attachment of the pod.
    const bool stays =
        is_add && oracle.present.count(container) != 0 &&
        (container == operation.containers.back() || is_alive(scene.machine, container));
    if (!stays) oracle.forget(container);
  }
  if (operation.may_end_the_dead) {
    for (const auto& one : scene.oracle.present) {
      const bool is_own = is_add && one.first == operation.containers.back();
      if (!is_own && !is_alive(scene.machine, one.first)) oracle.forget(one.first);
    }
  }
  for (const auto& pod : outcome.evicted_pods) oracle.kept.erase(pod);
  // Not all say so: the Go plugin knows of no bindings, and a repeated ADD finds its own file.
  if (outcome.is_acknowledged) oracle.take(outcome.told);
  for (const auto& pod : operation.pods) {
    oracle.moving.insert(pod);
    const auto kept = oracle.kept.find(pod);
    if (kept != oracle.kept.end() && outcome.is_acknowledged)
      kept->second.push_back(outcome.told.addresses);
  }
  return oracle;
}

Trouble trouble_after_cut(const Machine& before, const Tree& left, const Oracle& oracle,
                          Depth depth) {
  auto found = trouble_on_disk(left, oracle, false);
  if (found || depth == Depth::disk) return found;
  Recovery recovery(before.booted_from(left), oracle);
  if (auto trouble = recovery.bring_back(oracle)) return trouble;
  if (auto trouble = recovery.fill("z", 1)) return trouble;
  const Scene& scene = recovery.scene();
  if (auto trouble = stranger_among(files_of(scene.machine.disk), scene.oracle, false))
    return "booted: " + *trouble;
  return depth == Depth::whole ? trouble_with_the_rest(recovery, false) : std::nullopt;
}

Trouble trouble_after_kill(const Scene& killed, const Operation& operation, Depth depth) {
  if (auto trouble = trouble_on_disk(killed.machine.disk, killed.oracle, true)) return trouble;
  Recovery recovery(killed.machine, killed.oracle);
  recovery.use_cache();
  Scene& scene = recovery.scene();
  const Outcome outcome = operation.run(scene, {});
  const std::string holder = living_holder(scene, outcome.container, outcome.told.addresses);
  if (!holder.empty())
    return "I1: repeated, " + outcome.container + " gets " + joined(outcome.told.addresses) +
           ", which " + holder + " has";
  acknowledge(scene, outcome);
  if (auto trouble = trouble_on_disk(scene.machine.disk, scene.oracle, true))
    return "repeated: " + *trouble;
  if (depth != Depth::disk) {
    if (auto trouble = trouble_with_returning(scene)) return "returning: " + *trouble;
  }
  if (auto trouble = recovery.fill("z", kPlaces + 1)) return trouble;
  return depth == Depth::disk ? std::nullopt : trouble_with_the_rest(recovery, true);
}

}  // namespace proof
