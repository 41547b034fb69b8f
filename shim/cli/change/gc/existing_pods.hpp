#pragma once
/// Which pods there are, as far as anybody on this node can tell.
///
///     lists           named by the operator: of kubectl or crictl       say which pods exist
///     kubelet         its Pods API, see kubelet_pods.hpp; not of a copy  says which pods exist
///     YurtHub         /etc/kubernetes/cache/kubelet/pods.v1.core/<namespace>/<name>,
///                     of earlier versions .../kubelet/pods/...           says which pods exist
///     kubelet's logs  /var/log/pods/<namespace>_<name>_<uid>             only names more
///     result cache    of the runtime, see Network::cached                only names more
///     attachments     of pods that run                                   only name more
///
/// Only what says which pods exist makes another pod one that is gone; each source can only add
/// pods. Where one of them cannot be believed, no pod is gone.
#include <set>
#include <string>
#include <vector>

#include "shim/cli/inspect/networks/network.hpp"

namespace shim::change {

class ExistingPods {
 public:
  /// Asks all of them. `lists`: files, "-" for standard input.
  /// Errors: none; a source that is missing, empty, unreadable or of an unknown kind is told in
  /// troubles().
  ExistingPods(inspect::Node& node, const std::vector<std::string>& lists);

  /// "PLACE: why", of the sources that cannot be believed.
  [[nodiscard]] const std::vector<std::string>& troubles() const { return troubles_; }
  /// True when something says which pods exist.
  [[nodiscard]] bool are_listed() const { return !listed_.empty(); }
  /// True when one of them names the pod.
  [[nodiscard]] bool has(const allocator::PodKey& pod) const;

 private:
  void read_lists(const std::vector<std::string>& lists);
  void read_kubelet();
  void read_yurthub(allocator::store::FileSystem& fs);
  void read_logs(allocator::store::FileSystem& fs);
  void add_attached(const inspect::Network& network);
  void require_namespace_of(const allocator::PodKey& runs);

  std::set<std::string> listed_;  ///< "namespace/name"
  std::set<std::string> others_;
  std::vector<std::string> troubles_;
};

}  // namespace shim::change
