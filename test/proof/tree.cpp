#include "test/proof/tree.hpp"

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <unordered_map>

namespace proof {
namespace {

using store::FileKind;

/// Walks a tree by names, which are sorted, so that equal trees are walked alike.
class Fingerprint {
 public:
  explicit Fingerprint(const Tree& tree) : tree_(tree) {}

  std::uint64_t of(Id folder) {
    add_entries(folder);
    return hash_;
  }

 private:
  void add_entries(Id folder, bool has_times = false) {
    for (const auto& [name, id] : tree_.at(folder).entries) {
      hash_ = mixed(hash_, name);
      if (!has_times) add(id, name == "tombs");
    }
    hash_ = mixed(hash_, 1);  // the end of a folder
  }

  void add(Id id, bool has_times) {
    const auto [known, is_first] = order_.try_emplace(id, order_.size());
    hash_ = mixed(hash_, known->second);
    if (!is_first) return;
    const Inode& inode = tree_.at(id);
    hash_ = mixed(hash_, static_cast<std::uint64_t>(inode.kind));
    hash_ = mixed(hash_, inode.bytes);
    hash_ = mixed(hash_, inode.attribute.value_or("-"));
    if (inode.kind == FileKind::directory) add_entries(id, has_times);
  }

  const Tree& tree_;
  std::unordered_map<Id, std::size_t> order_;
  std::uint64_t hash_ = 0;
};

}  // namespace

std::uint64_t mixed(std::uint64_t hash, std::uint64_t value) {
  // The finaliser of SplitMix64.
  std::uint64_t bits = hash * 31 + value + 0x9e3779b97f4a7c15U;
  bits = (bits ^ (bits >> 30U)) * 0xbf58476d1ce4e5b9U;
  bits = (bits ^ (bits >> 27U)) * 0x94d049bb133111ebU;
  return bits ^ (bits >> 31U);
}

std::uint64_t mixed(std::uint64_t hash, const std::string& text) {
  return mixed(hash, std::hash<std::string>()(text));
}

Tree::Tree() {
  Inode root;
  root.kind = FileKind::directory;
  root.number = 2;
  put(kRoot, std::move(root));
}

std::vector<Tree::Slot>::const_iterator Tree::slot(Id id) const {
  const auto place =
      std::lower_bound(inodes_.begin(), inodes_.end(), id,
                       [](const Slot& one, Id wanted) { return one.first < wanted; });
  return place != inodes_.end() && place->first == id ? place : inodes_.end();
}

const Inode* Tree::find(Id id) const {
  const auto place = slot(id);
  return place == inodes_.end() ? nullptr : place->second.get();
}

const Inode& Tree::at(Id id) const {
  const Inode* inode = find(id);
  if (inode == nullptr) throw std::logic_error("no inode " + std::to_string(id));
  return *inode;
}

Inode& Tree::own(Id id) {
  const auto place = slot(id);
  if (place == inodes_.end()) throw std::logic_error("no inode " + std::to_string(id));
  auto& shared = inodes_[static_cast<std::size_t>(place - inodes_.begin())].second;
  if (shared.use_count() > 1) shared = std::make_shared<Inode>(*shared);
  return *shared;
}

void Tree::put(Id id, Inode inode) {
  inodes_.emplace_back(id, std::make_shared<Inode>(std::move(inode)));
}

void Tree::apply(const Change& change) {
  Inode& inode = own(change.inode);
  switch (change.kind) {
    case Change::Kind::bytes:
      inode.bytes = change.value;
      break;
    case Change::Kind::attribute:
      inode.attribute = change.value;
      break;
    case Change::Kind::entry:
      if (!change.moved_from.empty()) inode.entries.erase(change.moved_from);
      if (change.target == 0) {
        inode.entries.erase(change.name);
      } else {
        inode.entries[change.name] = change.target;
      }
      break;
  }
}

Id Tree::lookup(const std::string& path) const {
  Id id = kRoot;
  std::size_t start = 0;
  while (start < path.size()) {
    const auto end = std::min(path.find('/', start), path.size());
    if (end > start) {
      const auto& entries = at(id).entries;
      const auto found = entries.find(path.substr(start, end - start));
      if (found == entries.end()) return 0;
      id = found->second;
    }
    start = end + 1;
  }
  return id;
}

std::uint64_t Tree::count_names(Id id) const {
  std::uint64_t count = 0;
  for (const auto& slot : inodes_) {
    for (const auto& entry : slot.second->entries) count += entry.second == id ? 1U : 0U;
  }
  return count;
}

std::vector<Id> Tree::reachable() const {
  std::vector<Id> found = {kRoot};
  for (std::size_t next = 0; next < found.size(); ++next) {
    for (const auto& entry : at(found[next]).entries) found.push_back(entry.second);
  }
  return found;
}

void Tree::keep_only(const std::vector<Id>& kept) {
  std::vector<bool> stays(inodes_.size());  // a slot of `inodes_` each
  std::vector<Id> next = kept;
  while (!next.empty()) {
    const auto place = slot(next.back());
    next.pop_back();
    if (place == inodes_.end()) continue;
    const auto index = static_cast<std::size_t>(place - inodes_.begin());
    if (stays[index]) continue;
    stays[index] = true;
    for (const auto& entry : place->second->entries) next.push_back(entry.second);
  }
  std::size_t index = 0;
  std::erase_if(inodes_, [&](const Slot&) { return !stays[index++]; });
}

std::uint64_t Tree::fingerprint() const { return Fingerprint(*this).of(kRoot); }

}  // namespace proof
