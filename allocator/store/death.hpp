#pragma once
/// Proof that an attachment is dead, so that its address may be given away although no DEL came.
///
/// Never from an age, a name or a UID: a wrong guess puts two live pods on one address. What is not
/// proven stays in use.
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "allocator/binding.hpp"
#include "allocator/store/file_system.hpp"
#include "allocator/store/stamp.hpp"

namespace allocator::store {

class DeathJudge {
 public:
  /// `own_netns_path`: this call's CNI_NETNS; a namespace there, beside the recorded path, shows
  /// that we see the folder in which the runtime keeps its namespaces.
  DeathJudge(FileSystem& fs, std::string boot_id, std::string own_netns_path)
      : fs_(fs), boot_id_(std::move(boot_id)), own_netns_path_(std::move(own_netns_path)) {}

  /// True when the attachment was made in another boot; or in this one and its network namespace is
  /// neither at the recorded path nor any process' namespace, while ours is in the same folder. A
  /// live namespace at the recorded path vetoes both. No stamp, one of another container, or
  /// anything that we may not look at: false.
  [[nodiscard]] bool is_dead(const Attachment& owner, const std::optional<Stamp>& stamp);

  /// True when the namespace of a stamp of this boot is seen: at its path, or as that of a process
  /// or thread. False proves nothing.
  [[nodiscard]] bool is_seen(const Stamp& stamp);

  /// How often (once at most) all processes had to be looked at: never on the ordinary path.
  [[nodiscard]] unsigned process_scans() const { return process_scans_; }

 private:
  [[nodiscard]] bool judge(const Attachment& owner, const Stamp& stamp);
  [[nodiscard]] bool lives_at_path(const Stamp& stamp);
  [[nodiscard]] bool is_gone_in_this_boot(const Attachment& owner, const Stamp& stamp);
  void look_at_processes();
  bool look_at(const std::string& task);
  void look_at_threads(const std::string& process);
  [[nodiscard]] bool any_process_is_in(std::uint64_t netns_inode);
  [[nodiscard]] bool is_another_ones(const Stamp& stamp);

  FileSystem& fs_;
  std::string boot_id_;
  std::string own_netns_path_;
  unsigned process_scans_ = 0;
  /// (owner, stamp) -> dead. All addresses of an attachment get one verdict in a command.
  std::map<std::pair<std::string, std::string>, bool> verdicts_;
  /// The network namespaces of all processes, once they have been looked at.
  std::set<std::uint64_t> live_namespaces_;
  bool saw_all_processes_ = false;
};

/// Attachments that never have a network namespace of their own: only another boot proves them
/// dead.
bool has_no_namespace(const Attachment& attachment);

}  // namespace allocator::store
