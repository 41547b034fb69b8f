#pragma once
/// A lease from the plugin: what is asked of it for a pod that comes back, and what is done when it
/// refuses that.
#include <optional>
#include <string>
#include <vector>

#include "shim/cni/result/result.hpp"
#include "shim/cni/verbs/delegated_lease.hpp"

namespace shim {

class WishedLease {
 public:
  using Clock = DelegatedLease::Clock;

  /// All must outlive the object. `deadline`: of the plugin's runs.
  WishedLease(const DelegateConf& conf, DelegatedLease& lease, Clock::time_point deadline)
      : conf_(conf), lease_(lease), deadline_(deadline) {}

  /// Finds out what host-local is asked for: what the pod had. Dead attachments on it give way
  /// first. What goes wrong is noted: it costs the pod its address, but the pod comes up.
  /// Errors: throws CniError 7 for a request that the pod may not make.
  void look();

  /// Runs the plugin's ADD; a wish that it refuses is dropped, an address that the pod asks for by
  /// its annotation is not. An attachment that had a lease before gets no wish: host-local would
  /// give it a second address.
  /// Errors: throws DelegateFailure, CniError.
  [[nodiscard]] Result run(allocator::store::Presence before);

  /// What of the answer dead attachments of this boot had.
  [[nodiscard]] std::vector<allocator::store::TakenOver> taken_over(
      const std::vector<allocator::Address>& answered) const;

 private:
  void refuse_others();
  void end_dead(const allocator::Attachment& dead);
  void drop_refused(const DelegateFailure& failure);

  const DelegateConf& conf_;
  DelegatedLease& lease_;
  Clock::time_point deadline_;
  std::vector<allocator::Address> wishes_;
  std::vector<allocator::store::TakenOver> taken_over_;
};

}  // namespace shim
