#pragma once
/// Proof that an attachment is dead, so that its address may be given away although no DEL came.
///
/// Never from an age, a name or a UID: a wrong guess puts two live pods on one address. What is not
/// proven stays in use. No number alone is an identity: those of namespaces and processes come
/// again within milliseconds, a boot_id may be a container's, and a PID namespace shows its own
/// processes only.
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "allocator/binding.hpp"
#include "allocator/store/disk/file_system.hpp"
#include "allocator/store/state/stamp.hpp"
#include "allocator/store/state/viewpoint.hpp"

namespace allocator::store {

struct AttachmentFile;
class NetworkDir;

class DeathJudge {
 public:
  /// `own_netns_path`: this call's CNI_NETNS; a namespace there, beside the recorded path, shows
  /// that we see the folder in which the runtime keeps its namespaces.
  DeathJudge(FileSystem& fs, Viewpoint viewpoint, std::string own_netns_path)
      : fs_(fs), here_(std::move(viewpoint)), own_netns_path_(std::move(own_netns_path)) {}

  /// True when one of these holds and no namespace is at the recorded path:
  ///
  ///     another boot    both saw the kernel's own boot_id, and it is another one. What lies over
  ///                     it counts only where nothing else can have changed it: in one and the same
  ///                     PID namespace, with a new /run, and nobody seen in the namespace
  ///     gone            this call's namespace is in the same folder as the recorded path, and the
  ///                     kernel says that the recorded one is gone; or it has given its number to
  ///                     ours; or the initial PID namespace is seen, with no process or thread in
  ///                     it, and no name for it in the folder
  ///     node restarted  both in containers of one root folder, in different PID namespaces, with
  ///                     another /run; the folder of the recorded path lies on another file system
  ///                     than then, and this call's namespace is in it
  ///
  /// No stamp, one of another container, or anything that we may not look at: false.
  [[nodiscard]] bool is_dead(const Attachment& owner, const std::optional<Stamp>& stamp);

  /// The same of the owner of a file that has this stamp. Where one is recorded too, the file system
  /// took none for a while: both must say it.
  [[nodiscard]] bool is_owner_dead(NetworkDir& network, const AttachmentFile& file,
                                   const std::optional<Stamp>& stamp);

  /// True when the namespace of a stamp is seen alive: at its path, by the word of the kernel, or
  /// where the kernel has none, as a thread is in it that can be seen from here. What may not be
  /// looked at is taken for alive.
  [[nodiscard]] bool is_seen_alive(const Stamp& stamp);

  /// True when the namespace of a stamp is seen alive, and this call's is another one.
  [[nodiscard]] bool lives_elsewhere(const Stamp& stamp);

  /// How often (once at most) all processes had to be looked at: never on the ordinary path.
  [[nodiscard]] unsigned process_scans() const { return process_scans_; }

 private:
  [[nodiscard]] bool judge(const Attachment& owner, const Stamp& stamp);
  [[nodiscard]] bool lives_at_path(const Stamp& stamp);
  [[nodiscard]] bool is_of_another_boot(const Stamp& stamp);
  [[nodiscard]] bool is_of_another_pretended_boot(const Stamp& stamp);
  [[nodiscard]] bool is_gone(const Stamp& stamp, const NamespaceIdentity& own);
  [[nodiscard]] bool is_of_restarted_node(const Stamp& stamp);
  [[nodiscard]] bool is_same_pid_namespace(const Stamp& stamp) const;
  void look_at_processes();
  void look_at_threads(const std::string& process);
  [[nodiscard]] bool a_thread_is_seen_in(const NamespaceIdentity& netns);
  [[nodiscard]] bool any_thread_is_in(const NamespaceIdentity& netns);
  [[nodiscard]] bool is_named_beside(const Stamp& stamp);

  FileSystem& fs_;
  Viewpoint here_;
  std::string own_netns_path_;
  unsigned process_scans_ = 0;
  /// (owner, stamp) -> dead. All addresses of an attachment get one verdict in a command.
  std::map<std::pair<std::string, std::string>, bool> verdicts_;
  /// The network namespaces of all threads by their number, once they have been looked at.
  std::map<std::uint64_t, NamespaceIdentity> live_namespaces_;
  bool saw_all_threads_ = false;
};

/// Attachments that never have a network namespace of their own: only another boot proves them
/// dead.
bool has_no_namespace(const Attachment& attachment);

}  // namespace allocator::store
