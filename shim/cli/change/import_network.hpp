#pragma once
/// What becomes of imported bindings in one network: looked at here, and once more under the lock,
/// by the same rules (allocator/hand_hold.hpp).
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "shim/cli/change/changes.hpp"
#include "shim/cli/change/import_source.hpp"

namespace shim::change {

/// How many addresses are changed while the network's lock is held once.
inline constexpr std::size_t kBatch = 512;

class NetworkImport {
 public:
  /// `network` must outlive the object and its changes.
  NetworkImport(const inspect::Network& network, allocator::Force force);

  /// An address for a pod, later than those before it. `one` must outlive the object.
  void want(const ImportedAddress& one);

  /// Decides, and adds the changes. Once, when all is wanted.
  void add_changes(Changes& changes);

 private:
  struct Wish {
    const ImportedAddress* wanted;
    std::string refusal = {};  ///< for what the source says itself; empty: `hold` tells
    allocator::Hold hold = allocator::Hold::already;
  };
  /// One interface of a pod.
  struct Pod {
    std::vector<Wish> wishes;
    /// What it is bound to, and what it uses.
    std::vector<const allocator::store::SurveyedAddress*> known;
  };
  struct Batch;

  [[nodiscard]] allocator::store::SurveyedAddress here(const ImportedAddress& wanted) const;
  [[nodiscard]] bool uses(const allocator::PodKey& pod,
                          const allocator::store::SurveyedAddress& one) const;
  [[nodiscard]] bool is_used(const allocator::store::SurveyedAddress& one) const;
  [[nodiscard]] std::optional<allocator::Attachment> attachment_of(
      const ImportedAddress& wanted, const allocator::store::SurveyedAddress& one) const;
  [[nodiscard]] allocator::User user_of(const ImportedAddress& wanted,
                                        const allocator::store::SurveyedAddress& one) const;
  [[nodiscard]] const allocator::store::SurveyedAddress* other_of(const Pod& pod,
                                                                  allocator::Family family) const;
  [[nodiscard]] allocator::HoldFacts facts_of(const Pod& pod, const ImportedAddress& wanted) const;
  [[nodiscard]] std::string why_refused(const Pod& pod, const ImportedAddress& wanted) const;
  [[nodiscard]] const ImportedAddress* best_of_set(const Pod& pod,
                                                   const ImportedAddress& wanted) const;
  void judge(Pod& pod);
  [[nodiscard]] std::string why(const Pod& pod, const Wish& wish,
                                const allocator::store::SurveyedAddress& one) const;
  [[nodiscard]] Step step_of(const Pod& pod, const Wish& wish) const;
  void add_steps(const Pod& pod, Change& change, Batch& batch) const;

  const inspect::Network& network_;
  allocator::Force force_;
  allocator::HeldRoom room_;
  std::unordered_map<std::string, Pod> pods_;
  std::vector<Pod*> order_;  ///< those of which something is wanted
  std::map<allocator::Address, std::size_t> claims_;
};

}  // namespace shim::change
