#include "test/proof/crash_models.hpp"

#include <algorithm>
#include <array>

namespace proof {
namespace {

bool is_data(const Change& change) { return change.kind == Change::Kind::bytes; }

/// Whether the kernel has the change in mind when it flushes `id`.
bool touches(const Change& change, Id id) {
  if (change.inode == id) return true;
  return change.kind == Change::Kind::entry && (change.target == id || change.replaced == id);
}

/// One draw after the other from a seed: SplitMix64.
class Lots {
 public:
  explicit Lots(std::uint64_t seed) : state_(seed) {}
  std::size_t below(std::size_t limit) {
    state_ = mixed(state_, 1);
    return static_cast<std::size_t>(state_ % limit);
  }

 private:
  std::uint64_t state_;
};

}  // namespace

const char* name_of(Model model) {
  constexpr std::array<const char*, kModels> names = {"strict", "ext4", "xfs", "weak", "killed"};
  return names.at(static_cast<std::size_t>(model));
}

void Durable::created(Id id, const Inode& inode) {
  // That it exists is told by its name only.
  tree_.put(id, inode);
}

void Durable::changed(const Change& change) {
  if (model_ == Model::strict) return tree_.apply(change);
  last_was_split_ = model_ == Model::weak && !change.moved_from.empty();
  if (model_ != Model::weak || change.moved_from.empty()) return pending_.push_back(change);
  Change goes{Change::Kind::entry, change.inode, change.moved_from, 0, change.target, {}};
  Change comes = change;
  comes.moved_from.clear();
  comes.is_moved = true;
  pending_.push_back(std::move(comes));
  pending_.push_back(std::move(goes));
}

void Durable::fold(const std::function<bool(const Change&)>& is_durable) {
  std::vector<Change> rest;
  for (auto& change : pending_) {
    if (is_durable(change)) {
      tree_.apply(change);
    } else {
      rest.push_back(std::move(change));
    }
  }
  pending_ = std::move(rest);
}

void Durable::synced(Id id) {
  if (model_ == Model::strict) return;
  if (model_ != Model::weak) return sync_journal(id);
  fold([&](const Change& change) { return change.inode == id; });
}

void Durable::sync_journal(Id id) {
  std::size_t end = 0;  // behind the last change that goes with it
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    if (touches(pending_[i], id)) end = model_ == Model::ext4 ? pending_.size() : i + 1;
  }
  std::size_t index = 0;
  fold([&](const Change& change) {
    const bool is_in_log = index++ < end;
    return is_data(change) ? change.inode == id : is_in_log;
  });
}

/// What is on its way is told by what it makes of the tree, one change after the other.
std::uint64_t Durable::fingerprint() const {
  Tree tree = tree_;
  std::uint64_t hash = tree.fingerprint();
  for (const auto& change : pending_) {
    tree.apply(change);
    hash = mixed(mixed(hash, static_cast<std::uint64_t>(change.kind)), tree.fingerprint());
  }
  return hash;
}

void Durable::settle() {
  fold([](const Change&) { return true; });
}

void Durable::forget(Id folder, const std::string& name) {
  std::erase_if(pending_, [&](const Change& change) {
    return change.kind == Change::Kind::entry && change.inode == folder && change.name == name;
  });
  if (tree_.find(folder) != nullptr) tree_.own(folder).entries.erase(name);
}

void Durable::prune(std::vector<Id> live) {
  live.push_back(kRoot);
  for (const auto& change : pending_) {
    live.push_back(change.inode);
    live.push_back(change.target);
  }
  tree_.keep_only(live);
}

void Durable::visit_all(Budget& budget, const Visit& visit) const {
  switch (model_) {
    case Model::strict:
    case Model::killed:
      return visit(tree_);
    case Model::ext4:
    case Model::xfs:
      return visit_journal(0, pending_.size(), visit);
    case Model::weak:
      return visit_subsets(false, budget, visit);
  }
}

void Durable::visit_new(Budget& budget, const Visit& visit) const {
  if (model_ == Model::strict || pending_.empty()) return visit(tree_);
  if (model_ == Model::weak) return visit_subsets(!last_was_split_, budget, visit);
  // What was written meets every earlier end of the journal; any other change makes a new end.
  const std::size_t first = is_data(pending_.back()) ? 0 : pending_.size();
  visit_journal(first, pending_.size(), visit);
}

/// For each end of the journal from `first` to `last`, every subset of the data.
void Durable::visit_journal(std::size_t first, std::size_t last, const Visit& visit) const {
  std::vector<std::size_t> data;
  for (std::size_t i = 0; i < pending_.size(); ++i) {
    if (is_data(pending_[i])) data.push_back(i);
  }
  Tree base = tree_;
  for (std::size_t end = 0; end <= last; ++end) {
    // Data is no part of the journal: an end behind it is the one before it.
    const bool is_end = end == last || !is_data(pending_[end]);
    if (end >= first && is_end) {
      for (std::size_t chosen = 0; chosen < (std::size_t{1} << data.size()); ++chosen) {
        Tree tree = base;
        for (std::size_t bit = 0; bit < data.size(); ++bit) {
          if ((chosen >> bit & 1U) != 0) tree.apply(pending_[data[bit]]);
        }
        visit(tree);
      }
    }
    if (end < last && !is_data(pending_[end])) base.apply(pending_[end]);
  }
}

std::vector<Durable::Way> Durable::ways_of(const Change& change) const {
  if (change.kind == Change::Kind::bytes && !change.value.empty())
    return {Way::absent, Way::made, Way::blank};
  const Inode* target = change.target == 0 ? nullptr : tree_.find(change.target);
  // Not one that is moved over another: what emptied it then was a fault of btrfs, long mended.
  const bool is_moved = std::any_of(pending_.begin(), pending_.end(), [&](const Change& other) {
    return other.is_moved && other.target == change.target;
  });
  if (target != nullptr && target->kind == store::FileKind::symbolic_link && !is_moved)
    return {Way::absent, Way::made, Way::blank};
  return {Way::absent, Way::made};
}

void Durable::apply(Tree& tree, const Change& change, Way way) {
  if (way == Way::absent) return;
  Change found = change;
  if (way == Way::blank && change.kind == Change::Kind::bytes)
    found.value.assign(change.value.size(), '\0');
  if (way == Way::blank && change.kind == Change::Kind::entry)
    tree.own(change.target).bytes.clear();
  tree.apply(found);
}

void Durable::visit_subsets(bool only_new, Budget& budget, const Visit& visit) const {
  std::vector<std::vector<Way>> ways;
  std::size_t count = 1;
  for (const auto& change : pending_) {
    ways.push_back(ways_of(change));
    // An index below, so that a count that overflows does not matter.
    if (count <= budget.most) count *= ways.back().size();
  }
  if (only_new) {
    // The last change is there: without it the states are those of before.
    if (count <= budget.most) count = count / ways.back().size() * (ways.back().size() - 1);
    ways.back().erase(ways.back().begin());
  }
  const bool is_sampled = count > budget.most;
  budget.was_sampled = budget.was_sampled || is_sampled;
  Lots lots(budget.seed);
  for (std::size_t round = 0; round < (is_sampled ? budget.most : count); ++round) {
    Tree tree = tree_;
    std::size_t digits = round;
    for (std::size_t i = 0; i < pending_.size(); ++i) {
      const std::size_t options = ways[i].size();
      apply(tree, pending_[i], ways[i][is_sampled ? lots.below(options) : digits % options]);
      digits /= options;
    }
    visit(tree);
  }
}

}  // namespace proof
