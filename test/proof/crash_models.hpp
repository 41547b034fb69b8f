#pragma once
/// What a power cut leaves of a disk: four models of what the kernel has brought to it by then.
///
/// The store has one discipline for all file systems: file, network folder and record folder are
/// flushed before each answer, whatever lies below. So every model meets the same calls.
///
///     strict   every change is on the disk at once: the states are the prefixes of the history
///     ext4     a journal: changes of names and attributes in their order up to any point; data
///              late, each file's by itself, so that a new file may be empty. fsync(2) of what has
///              a change in the journal commits all of it; of a file it brings the file's data.
///              Symbolic links and attributes lie in the inode or the journal: never torn
///     xfs      the same with a log that is forced only up to the last change of what is flushed,
///              and with the numbers of inodes given again at once (see Machine)
///     weak     POSIX alone: any subset of what was not flushed, in any order. fsync(2) of a file
///              brings its data and attributes, not its name; of a folder its names, not what they
///              lead to. A file may have its length without its data (NULs), a symbolic link may
///              be empty, a rename may have one of its two halves
#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "test/proof/tree.hpp"

namespace proof {

enum class Model : std::uint8_t { strict, ext4, xfs, weak, killed };
inline constexpr std::size_t kModels = 5;
const char* name_of(Model model);

/// Beside the disk as processes see it: what of it is durable for sure, and what is on its way.
class Durable {
 public:
  /// `tree`: what is on the disk already.
  explicit Durable(Model model, Tree tree = {}) : model_(model), tree_(std::move(tree)) {}

  void created(Id id, const Inode& inode);
  void changed(const Change& change);
  void synced(Id id);
  /// Everything becomes durable: an orderly reboot.
  void settle();
  /// Somebody removed a name long ago.
  void forget(Id folder, const std::string& name);
  /// Drops inodes that nothing leads to any more. `live`: those in use.
  void prune(std::vector<Id> live);

  [[nodiscard]] Model model() const { return model_; }
  [[nodiscard]] const Tree& tree() const { return tree_; }
  [[nodiscard]] std::uint64_t fingerprint() const;

  /// How often a state was built by drawing lots because there are too many.
  struct Budget {
    std::size_t most;          ///< from so many combinations on, a sample of that size
    std::uint64_t seed;        ///< of the sample
    bool was_sampled = false;  ///< what became of it
  };
  using Visit = std::function<void(const Tree&)>;
  /// Every state that a cut now may leave.
  void visit_all(Budget& budget, const Visit& visit) const;
  /// Only those that were not there before the last change.
  void visit_new(Budget& budget, const Visit& visit) const;

 private:
  /// How a change may be found after the cut: not at all, as made, or in a way of its own.
  enum class Way : std::uint8_t { absent, made, blank };

  void fold(const std::function<bool(const Change&)>& is_durable);
  void sync_journal(Id id);
  [[nodiscard]] std::vector<Way> ways_of(const Change& change) const;
  void visit_journal(std::size_t first, std::size_t last, const Visit& visit) const;
  void visit_subsets(bool only_new, Budget& budget, const Visit& visit) const;
  static void apply(Tree& tree, const Change& change, Way way);

  Model model_;
  Tree tree_;
  std::vector<Change> pending_;
  bool last_was_split_ = false;  ///< the last two changes were one call
};

}  // namespace proof
