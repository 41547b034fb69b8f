#include "test/proof/memory_disk.hpp"

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace proof {
namespace {

using store::FileKind;

/// No descriptor of the real kernel has such a number, and none of these is ever closed.
constexpr int kFirstDescriptor = 1'000'000;
constexpr std::string_view kRunPath = "/run";
constexpr std::uint64_t kDiskDevice = 1;
constexpr std::uint64_t kRunDevice = 2;

[[noreturn]] void fail(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), what);
}

bool is_in_run(const std::string& path) {
  return path.starts_with(kRunPath) &&
         (path.size() == kRunPath.size() || path[kRunPath.size()] == '/');
}

}  // namespace

MemoryDisk::~MemoryDisk() {
  const std::set<Id> held = std::exchange(held_, {});
  for (const Id id : held) free_if_gone(id);
  if (observer_.is_alone) machine_.prune();
}

Tree& MemoryDisk::tree_of(Id id) { return (id & kRunBit) != 0 ? machine_.run : machine_.disk; }

const Inode& MemoryDisk::at(Id id) { return tree_of(id).at(id & ~kRunBit); }

Id MemoryDisk::id_of(const store::Fd& fd) const {
  return opened_.at(static_cast<std::size_t>(fd.number() - kFirstDescriptor));
}

store::Fd MemoryDisk::open(Id id) {
  opened_.push_back(id);
  if ((id & kRunBit) == 0) held_.insert(id);
  return store::Fd(kFirstDescriptor + static_cast<int>(opened_.size()) - 1,
                   store::Fd::Closing::by_exit);
}

Id MemoryDisk::lookup(const std::string& path) {
  if (!is_in_run(path)) return machine_.disk.lookup(path);
  const Id found = machine_.run.lookup(path.substr(kRunPath.size()));
  return found == 0 ? 0 : found | kRunBit;
}

MemoryDisk::Place MemoryDisk::place_of(const store::Directory& directory, const std::string& name) {
  Id folder = id_of(directory.fd);
  std::string last = name;
  if (const auto slash = name.find_last_of('/'); slash != std::string::npos) {
    const std::string above = name.substr(0, slash);
    folder = lookup(name.front() == '/' ? above : directory.path + "/" + above);
    last = name.substr(slash + 1);
  }
  if (folder == 0) fail(ENOENT, "open " + name);
  const auto& entries = at(folder).entries;
  const auto found = entries.find(last);
  if (found == entries.end()) return {folder, last, 0};
  if (machine_.damaged.count(found->second | (folder & kRunBit)) != 0)
    fail(EBADMSG, "open " + name);
  return {folder, last, found->second | (folder & kRunBit)};
}

/// 0 when there is none.
Id MemoryDisk::regular_at(const store::Directory& directory, const std::string& name) {
  const Place place = place_of(directory, name);
  if (place.inode == 0 || at(place.inode).kind == FileKind::symbolic_link) return 0;
  return place.inode;
}

store::FileIdentity MemoryDisk::identity_of(Id id) {
  const Inode& inode = at(id);
  return {(id & kRunBit) != 0 ? kRunDevice : kDiskDevice,
          inode.number,
          inode.kind,
          inode.bytes.size(),
          inode.changed_ns,
          inode.born_ns,
          inode.modified_ns};
}

void MemoryDisk::refuse_read_only(Id id) const {
  if (machine_.is_read_only && (id & kRunBit) == 0) fail(EROFS, "change a file");
}

Id MemoryDisk::make_inode(Id beside, FileKind kind, const std::string& target) {
  refuse_read_only(beside);
  Inode inode;
  inode.kind = kind;
  inode.bytes = target;
  inode.born_ns = inode.changed_ns = inode.modified_ns = ++machine_.clock_ns;
  auto& free =
      kind == FileKind::regular ? machine_.free_numbers.files : machine_.free_numbers.others;
  // /run is another file system, with numbers of its own.
  if (machine_.reuses_numbers && (beside & kRunBit) == 0 && !free.empty()) {
    inode.number = free.back();
    free.pop_back();
  } else {
    inode.number = machine_.next_number++;
  }
  const Id id = machine_.next_id++;
  if ((beside & kRunBit) != 0) {
    machine_.run.put(id, std::move(inode));
    return id | kRunBit;
  }
  for (auto& one : machine_.durable) one.created(id, inode);
  machine_.disk.put(id, std::move(inode));
  return id;
}

/// `change` has plain numbers and is about the disk, or has kRunBit in its inode.
void MemoryDisk::change(const Change& change) {
  const bool is_run = (change.inode & kRunBit) != 0;
  refuse_read_only(change.inode);
  Change plain = change;
  plain.inode &= ~kRunBit;
  plain.target &= ~kRunBit;
  plain.replaced &= ~kRunBit;
  Tree& tree = is_run ? machine_.run : machine_.disk;
  tree.apply(plain);
  Inode& inode = tree.own(plain.inode);
  inode.changed_ns = ++machine_.clock_ns;
  if (change.kind != Change::Kind::attribute) inode.modified_ns = inode.changed_ns;
  if (!is_run) {
    if (machine_.reuses_numbers) note_address_file(plain);
    for (auto& one : machine_.durable) one.changed(plain);
    if (plain.replaced != 0) free_if_gone(plain.replaced);
  }
  observer_(is_run ? Step::change_of_run : Step::change);
}

void MemoryDisk::free_if_gone(Id id) {
  const Inode* inode = machine_.disk.find(id);
  if (inode == nullptr || held_.count(id) != 0 || machine_.disk.count_names(id) != 0) return;
  if (id != kRoot) machine_.free_number(*inode);
}

void MemoryDisk::note_address_file(const Change& change) {
  if (change.kind != Change::Kind::entry || change.target == 0) return;
  const bool is_address = change.name.front() >= '0' && change.name.front() <= '9';
  if (!is_address || change.inode != machine_.disk.lookup(kNetworkDir)) return;
  const auto [known, is_first] =
      machine_.address_files.try_emplace(machine_.disk.at(change.target).number, change.target);
  if (is_first || known->second == change.target) return;
  known->second = change.target;
  ++machine_.numbers_met_again;
}

void MemoryDisk::put_entry(const Place& place, Id target) {
  change({Change::Kind::entry, place.folder, place.name, target, place.inode, {}});
}

void MemoryDisk::put_bytes(Id id, std::string_view bytes) {
  change({Change::Kind::bytes, id, {}, 0, 0, std::string(bytes)});
}

}  // namespace proof
