#pragma once
/// What the cloud believes of this node's pods, as YurtHub has cached it, beside what they have.
///
/// A node without its link cannot tell the cloud that a pod's address changed: YurtHub swallows it.
/// Services go on sending to the address that the cloud knows, for as long as that lasts.
///
///     kubelet/pods.v1.core/<namespace>/<name>                 status.podIPs of this node's pods
///     <any component>/endpointslices.v1.discovery.k8s.io/...  endpoints of pods on this node
///
/// and the same of earlier layouts, see yurthub_cache.hpp. Pods of the host's network, those that
/// have ended and those of other nodes are left out; so is an address that waits for its own pod.
/// No cache is no finding. Interfaces beside the first are none of the cloud's business.
#include <map>
#include <set>
#include <string>
#include <vector>

#include "shim/cli/inspect/networks/network.hpp"
#include "shim/cli/inspect/networks/yurthub_cache.hpp"

namespace shim::inspect {

class CloudView {
 public:
  /// Reads the caches, and adds what contradicts the node, or cannot be read, to its findings.
  explicit CloudView(Node& node);

  /// What the cloud was told last of a pod's addresses; none where nothing is cached.
  [[nodiscard]] std::vector<allocator::Address> addresses_of(const allocator::PodKey& pod) const;
  /// Why Services do not reach the pod; empty where they do, or nothing is known.
  [[nodiscard]] std::string contradiction(const allocator::PodKey& pod) const;

 private:
  using Addresses = std::vector<allocator::Address>;

  void look_at(const Network& network);
  void read_names();
  void read_pods();
  void read_pod(const YurthubFile& file);
  void compare(const YurthubFile& file, const YurthubPod& pod);
  void tell_of_strangers();
  void read_slices();
  void read_slice(const YurthubFile& file);
  void look_at_endpoint(const YurthubFile& file, const Json& endpoint);
  void judge_endpoint(const YurthubFile& file, const std::string& pod,
                      const allocator::Address& address);
  void visit(const std::string& component, const YurthubLayouts& layouts,
             void (CloudView::*read)(const YurthubFile&));

  [[nodiscard]] bool is_of_here(const std::string& node_name) const;
  [[nodiscard]] const Addresses& now(const std::string& pod) const;
  [[nodiscard]] bool is_of_a_network(const allocator::Address& address) const;
  [[nodiscard]] bool waits_for(const std::string& pod, const allocator::Address& address) const;
  [[nodiscard]] std::string holder(const allocator::Address& address) const;
  [[nodiscard]] std::string stale_text(const std::string& pod, const Addresses& known) const;
  void unreadable(const std::string& path, std::string_view why);

  Node& node_;
  std::set<std::string> names_;            ///< of this node
  std::map<std::string, Addresses> live_;  ///< by "namespace/name"
  std::map<std::string, Addresses> told_;  ///< likewise
  std::set<std::string> strangers_;        ///< nodes whose pods are cached
  bool has_own_ = false;                   ///< a pod of this node is
  std::set<std::string> judged_;           ///< "namespace/name address": of each slice that has it
};

}  // namespace shim::inspect
