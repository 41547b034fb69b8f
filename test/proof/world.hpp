#pragma once
/// A node and everything around it that the store does not control, told in events: pods and their
/// sandboxes, namespaces and the processes in them, boots, the runtime's cache, copies of the disk,
/// other programs that write into the folders. Beside the store's own state stands what a bystander
/// knows of it, and after every event the promises are compared with that.
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "allocator/store/lease_store.hpp"
#include "test/proof/memory_disk.hpp"
#include "test/proof/node.hpp"
#include "test/proof/seen_disk.hpp"

namespace proof {

enum class Kind : std::uint8_t {
  add,              ///< a new sandbox of the pod, whatever lives of it
  repeat_add,       ///< the ADD of its newest sandbox once more
  del,              ///< of its oldest sandbox
  del_again,        ///< of the sandbox that was deleted last
  die,              ///< its oldest sandbox ends, and no DEL comes
  unmount,          ///< the path of its oldest sandbox goes, its processes stay
  exit,             ///< the processes of such sandboxes end
  collect,          ///< GC with what the runtime lists
  reboot,           ///< in order
  power_cut,        ///< in between two commands
  reboot_with_run,  ///< in order, where /run is kept
  remove_run,       ///< our folder in /run, in mid-boot
  copy_disk,        ///< a backup of the disk
  restore_disk,     ///< the node boots from it
  restore_state,    ///< the state folder of the backup is put back, in mid-boot
  remove_file,      ///< an address file
  empty_file,       ///< an address file loses its content
  strip_stamps,     ///< the network folder is copied without attributes
  remove_record,
  spoil_record,
  remove_state,
  remove_network,
  write_note,  ///< somebody reserves an address by hand
  go_add,      ///< the Go plugin's
  go_del,
  cache_fresh,  ///< from here on the runtime's cache tells of everything that was acknowledged
  cache_stale,  ///< from here on it tells of what it told of now
  cache_gone,   ///< it cannot be read
  read_only,    ///< the disk takes no changes
  writable,
  // From here on: what half of the histories have.
  hung_add,      ///< an ADD hangs in its flush; DEL, and the pod's next ADD; then the flush fails
  start_again,   ///< a container that was deleted is started under its ID (podman)
  known_id_add,  ///< a caller with a namespace of its own uses the ID of a container
  on_node,       ///< from here on commands are run on the node itself
  in_container,
  under_other_boot,
  without_proc,
  move_path,     ///< a sandbox' namespace goes on under another path, with nobody in it
  restart_node,  ///< the container that is the node: the boot goes on
  clock_back,    ///< whatever is written from here on says that it is older than all before
  damage_file,   ///< the disk does not give an address file any more
  damage_record,
  repair,
  unended_del,   ///< what comes behind it in the chain fails for long: sandbox and cache entry stay
  hand_release,  ///< an operator frees a pod's oldest sandbox, if it is proven dead
  hand_forget,   ///< he ends a pod's bindings
  hand_hold,     ///< he brings a binding along, of an address for a pod
  hand_pin,      ///< he pins an address to a pod
  hand_unpin,
};
inline constexpr std::size_t kKinds = static_cast<std::size_t>(Kind::hand_unpin) + 1;
inline bool is_odd(Kind kind) { return kind >= Kind::hung_add; }
inline bool is_by_hand(Kind kind) { return kind >= Kind::hand_release; }

/// What a record may say that makes no sense, or not to this version.
inline constexpr std::array kSpoilt = {
    "",        "9~default~x~eth0~~1~1~", "1~default~other~eth0~~7~1~aaaaaaaa", "1~",
    "~~~~~~~", "1~10.0.0.2~10.0.0.3"};

/// What comes to a command while it runs.
enum class Fate : std::uint8_t { whole, killed, power_cut };

struct Event {
  Kind kind = Kind::add;
  unsigned who = 0;  ///< the pod; of files and records, which
  Fate fate = Fate::whole;
  unsigned step = 0;  ///< of its changes, the one behind which it is cut
  unsigned draw = 0;  ///< which of the states that a cut may leave
};

/// What does not change in a history.
struct Setting {
  Model model = Model::ext4;
  bool reuses_numbers = false;     ///< of inodes
  bool reuses_namespaces = false;  ///< the number of one that is gone comes again at once
  bool is_narrow = false;          ///< fewer addresses than pods
  bool is_slow = false;            ///< the boot scan runs out of time, whenever it is tried
  bool is_old_kernel = false;      ///< before Linux 6.18
  bool is_root_immutable = false;  ///< the data is mounted below it
  bool is_node_container = false;  ///< the node is one
  Attributes attributes = Attributes::kept;
};

/// The pods are numbers. Some are special.
inline constexpr unsigned kPods = 9;
inline constexpr unsigned kNameless = 0;  ///< its caller does not tell the pod
inline constexpr unsigned kUnbound = 1;   ///< not retained
inline constexpr unsigned kDual = 2;      ///< has an IPv6 address too
inline constexpr unsigned kPinned = 3;
inline bool is_kept_for(unsigned pod) { return pod != kNameless && pod != kUnbound; }

/// What an event came to, for whoever lets it come to the real plugin.
struct Happening {
  bool is_nothing = true;  ///< there was nobody, or nothing, that it could come to
  std::string container;
  unsigned pod = 0;
  bool is_new_namespace = false;       ///< the sandbox was made for it
  std::vector<std::string> addresses;  ///< the answer
  std::string failure;                 ///< why there was none
  std::vector<std::string> valid;      ///< containers that a GC was told of
  std::string name;                    ///< of a file or a record
  std::string text;                    ///< that a record says from here on
};

class World {
 public:
  explicit World(const Setting& setting);

  /// Lets it happen. The promise that is broken now, and how; nullopt: none.
  std::optional<std::string> apply(const Event& event);

  /// How many ADDs were acknowledged, of those of pods that must keep their addresses, and how
  /// often a command was about the sandbox of somebody whose file was taken away.
  struct Counts {
    std::uint64_t acknowledged = 0;
    std::uint64_t kept = 0;
    std::uint64_t refused = 0;
    std::uint64_t took_over = 0;
  };
  [[nodiscard]] const Counts& counts() const { return counts_; }

  /// Of the event before.
  [[nodiscard]] const Happening& happening() const { return happening_; }
  [[nodiscard]] Files files() const { return files_of(machine_.disk); }
  /// The names of the records.
  [[nodiscard]] std::vector<std::string> records() const;
  [[nodiscard]] bool is_read_only() const { return machine_.is_read_only; }
  /// The containers of which the runtime's cache tells now.
  [[nodiscard]] std::vector<std::string> cached() const;

 private:
  struct Sandbox {
    std::string container;
    unsigned pod = 0;
    store::NamespaceIdentity network_namespace;
    std::string netns_path;
    std::uint64_t boot = 0;
    /// Empty: nobody was told any, or its end has begun.
    std::vector<std::string> addresses = {};
    bool is_go = false;       ///< made by the Go plugin
    bool is_damaged = false;  ///< somebody has taken or emptied a file of it
    /// Its stamp tells its namespace.
    bool is_stamped = false;
    /// From where its stamp and its binding were written; none: from several places.
    std::optional<Standpoint> from = {};
    /// A command has come since, and the runtime's cache did not tell of it.
    bool is_forgotten = false;
    /// When it was started again, the cache told of its first life: nothing tells which of two
    /// addresses it was told last, but a binding.
    bool is_mistold = false;
    bool had_file = false;  ///< before its newest ADD
    /// A file of it was left by a caller that does not tell the kernel's boot.
    bool has_unknown_life = false;
  };
  struct Cached {
    Sandbox sandbox;
    std::int64_t written_ns;
  };
  class Cache;
  using Trouble = std::optional<std::string>;

  Trouble add(const Event& event, bool is_repeated);
  Trouble add_for(Sandbox& sandbox, const Event& event);
  [[nodiscard]] store::AddRequest request_for(const Sandbox& sandbox) const;
  [[nodiscard]] std::optional<store::Lease> run_add(const Event& event,
                                                    const store::AddRequest& request);
  Trouble answered(Sandbox& sandbox, const store::Lease& lease);
  Trouble refused(const Sandbox& sandbox, const std::string& why);
  Trouble del(const Event& event);
  Trouble del_again();
  bool release(const Event& event, const Sandbox& sandbox);
  Trouble collect(const Event& event);
  void go_add(const Event& event);
  void go_del(unsigned pod);
  void happen(const Event& event);
  Trouble happen_oddly(const Event& event);
  Trouble add_that_hangs(const Event& event);
  Trouble start_again(const Event& event);
  Trouble add_under_known_id(const Event& event);
  Trouble delete_without_end(unsigned pod);
  Trouble happen_by_hand(const Event& event);
  Trouble release_by_hand(const Event& event);
  Trouble forget_by_hand(const Event& event);
  void hold_by_hand(const Event& event);
  void pin_by_hand(const Event& event);
  void unpin_by_hand(const Event& event);
  [[nodiscard]] bool act_by_hand(const Event& event,
                                 const std::function<void(store::LeaseStore&)>& act);
  void move_path(unsigned pod);
  void restart_node(const Event& event);
  void damage_file(const std::string& address);
  void damage_record(unsigned which);
  void repair();
  void change_tombstones(const std::function<void(Tree&, Id)>& change);
  void put_tombstones_off();
  void have_cache_asked();
  void happen_to_files(const Event& event);
  void happen_to_records(const Event& event);
  void happen_to_record(const Event& event, const std::string& name);
  void tell(const Sandbox& sandbox);
  void tell_name(const std::string& name);

  /// Runs a command under the event's fate; false: it did not come to its end.
  bool run(const Event& event, const std::function<void(MemoryDisk&)>& command);
  bool run_store(const Event& event, const std::function<void(store::LeaseStore&)>& command);
  [[nodiscard]] Tree some_state(unsigned draw) const;
  void cut_power(const Tree& left);
  /// Another boot: who lived lives no more.
  void boot(Machine next);
  void put_back_state();
  void remove_state();

  Sandbox& new_sandbox(unsigned pod);
  void make_namespace(Sandbox& sandbox);
  void end_namespace(const Sandbox& sandbox);
  [[nodiscard]] Sandbox* oldest(unsigned pod);
  [[nodiscard]] Sandbox* newest(unsigned pod);
  [[nodiscard]] bool lives(const Sandbox& sandbox) const;
  [[nodiscard]] bool is_proven_dead(const Sandbox& sandbox) const;
  [[nodiscard]] bool is_seen_by_gc(const Sandbox& sandbox) const;
  [[nodiscard]] bool can_be_stamped(const std::vector<std::string>& addresses) const;
  [[nodiscard]] bool can_be_bound(unsigned pod, const std::vector<std::string>& addresses) const;
  void lose_recorded_stamps();
  [[nodiscard]] bool has_unreadable_file(const std::string& container) const;
  [[nodiscard]] bool has_unreadable(unsigned pod) const;
  [[nodiscard]] bool is_readable(const std::string& address) const;
  void forget(const std::string& container);

  [[nodiscard]] Trouble shared_with(const Sandbox& sandbox,
                                    const std::vector<std::string>& told) const;
  [[nodiscard]] bool is_pinned_to_another(unsigned pod,
                                          const std::vector<std::string>& addresses) const;
  [[nodiscard]] Trouble trouble_with_pins(const Sandbox& sandbox,
                                          const std::vector<std::string>& told) const;
  [[nodiscard]] const std::map<std::string, Cached>& entries() const;
  [[nodiscard]] bool is_claimed_by_ended(const std::vector<std::string>& addresses) const;
  [[nodiscard]] bool is_told_of(const Sandbox& sandbox) const;
  [[nodiscard]] bool must_be_kept(const Sandbox& sandbox,
                                  const std::vector<std::string>& kept) const;
  [[nodiscard]] Trouble trouble_on_disk(const Tree& disk, bool was_cut) const;
  [[nodiscard]] Trouble trouble_with_claims(const Files& files) const;
  void note_restored();
  [[nodiscard]] std::string address_file(unsigned which) const;
  void damage(const std::string& address);

  Setting setting_;
  Machine machine_;
  Surroundings around_;
  bool was_elsewhere_ = false;  ///< commands were run from several places
  /// What else happens in a command, at its first flush.
  std::function<void()> meanwhile_;
  bool has_damaged_records_ = false;
  std::vector<Sandbox> sandboxes_;            ///< by age
  std::map<std::string, Cached> cached_;      ///< what the runtime wrote down
  std::map<std::string, Cached> cache_then_;  ///< what a stale cache tells of
  enum class View : std::uint8_t { fresh, stale, gone } view_ = View::fresh;
  /// What each pod must get, as long as nobody has it.
  std::map<unsigned, std::vector<std::string>> kept_;
  std::set<std::string> notes_;           ///< addresses that somebody reserved by hand
  std::map<std::string, unsigned> pins_;  ///< addresses that are pinned by hand, and to which pod
  std::set<unsigned> was_pinned_;         ///< pods that once were: a list may come back
  std::set<std::string> unrecorded_;      ///< records that somebody removed in this boot
  bool has_lost_stamps_ = false;          ///< files are there that say nothing of when
  bool is_state_removed_ = false;         ///< in this boot
  bool is_state_foreign_ = false;         ///< so is that of a backup put back
  std::set<std::string> ended_;           ///< containers whose DEL was acknowledged
  std::optional<Sandbox> deleted_last_;
  std::optional<Tree> backup_;
  std::map<std::string, Cached> cached_at_backup_;
  unsigned next_container_ = 0;
  std::int64_t next_written_ = 0;
  Trouble failure_;      ///< of a DEL
  Trouble cut_trouble_;  ///< what a power cut left
  std::uint64_t boot_ = 0;
  std::vector<std::uint64_t> free_namespaces_;
  Counts counts_;
  Happening happening_;
};

}  // namespace proof
