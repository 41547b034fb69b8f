#pragma once
/// The networks of a node: what configures each, and what stands on the disk about it.
///
/// They are found by their configuration, by host-local's folder for all networks, and by the state
/// folder, which remembers networks whose configuration is gone.
#include <list>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "allocator/store/state/attachment_source.hpp"
#include "allocator/store/survey/reading_file_system.hpp"
#include "allocator/store/survey/survey.hpp"
#include "shim/cli/command.hpp"
#include "shim/cli/inspect/networks/configurations.hpp"
#include "shim/cli/inspect/networks/finding.hpp"
#include "shim/cni/conf/net_conf.hpp"

namespace shim::inspect {

/// Where to look; empty: where everything usually is.
struct NodeOptions {
  std::string root;
  std::string conf;
  std::string data_dir;
  std::string state_dir;
  std::string network;
};

/// Declares them. `options` must outlive the parsing.
void add_node_options(CommandSpec& command, NodeOptions& options);

/// True for a folder whose content ends with the boot.
bool is_in_memory(allocator::store::FileSystem& fs, const std::string& folder);

/// Whose an address is, from the records or else from the runtime's result cache.
struct Owner {
  std::string pod_namespace;
  std::string pod_name;
  std::string ifname;
  std::string uid;
  std::string netns;

  [[nodiscard]] bool is_known() const { return !pod_name.empty(); }
  [[nodiscard]] allocator::PodKey key() const { return {pod_namespace, pod_name, ifname}; }
};

/// The order of pods' interfaces.
struct ByName {
  bool operator()(const allocator::PodKey& left, const allocator::PodKey& right) const {
    return std::tie(left.pod_namespace, left.pod_name, left.ifname) <
           std::tie(right.pod_namespace, right.pod_name, right.ifname);
  }
};

struct Network {
  std::string name;
  std::string file;       ///< that configures it; empty: none was found
  std::string ipam_type;  ///< as written there
  std::string delegate;   ///< the IPAM plugin that hands out, where that is not the built-in one
  std::string network_dir;
  NetConf conf;  ///< without ranges where they are not known
  /// True for ranges from a source that may be gone after a reboot, with no last good copy of them
  /// that counts on this node.
  bool forgets_ranges = false;
  std::string flannel_file;  ///< that gave the ranges
  allocator::store::Survey survey;
  /// What the runtime's cache tells of its attachments, by container ID; read where somebody has to
  /// be looked for.
  std::multimap<std::string, allocator::store::CachedAttachment> cached;

  /// True when host-local itself seems to hand out: nothing of ours was ever written.
  [[nodiscard]] bool is_host_locals() const {
    return ipam_type != "delegated-ipam" && !survey.has_records;
  }
  /// True where choose() is asked for an address, here or by a run host-local: there its files say
  /// who has which. False: the network folder is a name only.
  [[nodiscard]] bool chooses() const { return delegate.empty() || delegate == "host-local"; }
  /// True where what is pinned by hand counts: only the built-in allocator knows of it, and only
  /// where it keeps records.
  [[nodiscard]] bool reads_pins() const {
    return delegate.empty() && !is_host_locals() && conf.placement.retain.enabled;
  }
  /// Whose the address is now, or will be again.
  [[nodiscard]] Owner owner_of(const allocator::store::SurveyedAddress& one) const;
  /// The MAC address of who has it, as the runtime's cache has it; empty where that was not read.
  [[nodiscard]] std::string mac_of(const allocator::store::SurveyedAddress& one) const;
  /// True for the pods that are not to be held.
  [[nodiscard]] bool is_excluded(const Owner& owner) const;
  /// True when what the pod has had counts at its next ADD.
  [[nodiscard]] bool keeps(const allocator::PodKey& pod) const;
};

/// By name, then by folder. They are large, and stay where they are.
using Networks = std::list<Network>;

/// When the runtime's cache is read: it costs a file an attachment.
enum class ReadCache : std::uint8_t { where_needed, always };

/// Whether the records are also compared with each other, see find_flaws().
enum class Compare : std::uint8_t { no, yes };

/// A node that is looked at.
class Node {
 public:
  /// Finds and surveys all networks, or the one that the options name.
  /// Errors: throws UsageError for a network that there is not, a root that cannot be used, a
  /// missing --conf; std::system_error.
  Node(allocator::store::FileSystem& under, const NodeOptions& options,
       ReadCache when_cache = ReadCache::where_needed, Compare compare = Compare::no);

  /// The node with other configurations than those that are installed, and nothing but their
  /// networks. Errors: as above.
  Node(allocator::store::FileSystem& under, const NodeOptions& options,
       const std::vector<PluginConf>& confs);

  [[nodiscard]] const Networks& networks() const { return networks_; }
  [[nodiscard]] Networks& networks() { return networks_; }
  [[nodiscard]] const Findings& findings() const { return findings_; }
  [[nodiscard]] Findings& findings() { return findings_; }
  [[nodiscard]] allocator::store::ReadingFileSystem& fs() { return fs_; }
  /// What it is called; empty where nobody tells: a copy is of another node, and says its name
  /// itself.
  [[nodiscard]] std::string name();
  /// The boot that its networks are looked at in, in short; empty where there is none to tell it.
  [[nodiscard]] std::string boot() const;
  /// Where nothing was found.
  [[nodiscard]] std::string places() const;

 private:
  void set_folders();
  void survey_all();
  void add_conf(const PluginConf& conf);
  void add_folders();
  void add_remembered();
  /// The network that is read, or was read last.
  [[nodiscard]] Network& begin();
  void end();
  void add_folder(const std::string& path);
  [[nodiscard]] std::string state_dir() const;
  void read_conf(const Json& document, const ConfHead& head, Network& network);
  [[nodiscard]] std::vector<std::string> ranges_from(const RangesSource& source,
                                                     const PlacementConf& placement,
                                                     Network& network);
  void survey(Network& network);
  void read_cache(Network& network);
  void tell_of_oddities(const Network& network);

  NodeOptions options_;
  ReadCache when_cache_;
  Compare compare_ = Compare::no;
  allocator::store::ReadingFileSystem fs_;
  Networks networks_;
  Findings findings_;
};

/// Ends the use of a node in a process that ends, too: that is quicker than giving back what is
/// known of 60 000 addresses one by one.
void leave_to_exit(std::unique_ptr<Node> node);

}  // namespace shim::inspect
