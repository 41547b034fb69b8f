#pragma once
/// What is known of a network in this boot only.
///
///     /run/delegated-ipam/<device>:<inode of the network folder>/
///         scan          -> <generation> and what holds in it, see boot_mark.hpp
///         boot          -> <boot_id>: a run delegate's records have been flushed with all above
///         aside/<address> -> "<since>~<container ID>~<ifname>~<boot8>", see set_aside.hpp
///         run           -> "<CLOCK_BOOTTIME in ns>-<start of process 1>" of the first command in a
///                          container: another mark is another /run, see death.hpp
///         sequence      -> "<the highest sequence number given out>.<the highest one of the boots
///                          before>~<boot_id>", decimal
///         evicted/<address> -> "<boot_id>~<ran-on or held>~<the binding on it that ended: another pod
///                          got it>"
///         repeats/<key> -> "<PID>:<start>~<boot_id>" (or "alone-<when>~<boot_id>") of the repeated
///                          ADD that was answered what the attachment has, or whose addresses its
///                          ADD took over (repeat.hpp)
///         tombs/<key>   -> "<when>~<boot_id>": the attachment was deleted then, in nanoseconds of
///                          CLOCK_BOOTTIME
///         used          -> there are marks of used addresses, or "all" may have been used
///         used.<4|6>.<n> -> somebody had an address of the family that ends in these 12 bits
///         pending/<key> -> "<container ID>\r\n<ifname>": a release that is not written yet
///         unbound/<address> -> in use by an attachment that no binding tells of
///         index            which addresses each attachment has, and which are held, see
///                          attachment_index.hpp
///         unflushed.<key> -> files of the attachment were removed, which nobody has flushed yet
///
/// The generation is "<boot_id>~<inode and time of birth of the network's lock file>~<number of the
/// scan>": a folder that was wiped has another lock, one whose owner or label was changed has not,
/// and a version that scans for more has another number. <key> is the SHA-256 of the attachment.
/// The folder may vanish at any time and is never the truth: without it the same answers cost more
/// reading.
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "allocator/binding.hpp"
#include "allocator/store/disk/file_system.hpp"
#include "allocator/store/index/boot_mark.hpp"

namespace allocator::store {

/// More releases than any node sees: a higher number in a record is a mistake, and counts as the
/// newest.
inline constexpr std::uint64_t kSequenceLimit = std::uint64_t{1} << 62;

/// A binding that ended in this boot, as another pod got its address.
struct Evicted {
  Address address;
  Binding binding;
  bool ran_on = false;  ///< its pod had the address when the boot began

  friend bool operator==(const Evicted&, const Evicted&) = default;
};

class RunFolder {
 public:
  /// Opens the folder, making it first. Failures leave an object that knows nothing and keeps
  /// nothing.
  RunFolder(FileSystem& fs, const std::string& run_dir,
            const FileIdentity& network_folder) noexcept;
  /// The same for a folder of any name.
  RunFolder(FileSystem& fs, const std::string& path) noexcept;

  /// False for an object that knows nothing.
  [[nodiscard]] bool is_open() const noexcept { return folder_.has_value(); }
  /// nullptr for an object that knows nothing.
  [[nodiscard]] const Directory* folder() const noexcept { return folder_ ? &*folder_ : nullptr; }

  /// Which boot it is: /run may survive one, and what ends with a boot carries its name.
  void set_boot(const std::string& boot_id) { boot_id_ = boot_id; }
  /// False only when it is another one for sure.
  [[nodiscard]] bool is_boot(const std::string& boot_id) const {
    return boot_id.empty() || boot_id_.empty() || boot_id == boot_id_;
  }

  /// True for a folder that somebody else may write to: what would end an attachment, or answer
  /// for one, is not believed. A system call.
  [[nodiscard]] bool is_strangers() noexcept;

  /// True when this object made the folder: whoever had looked before it would have made it.
  [[nodiscard]] bool is_new() const { return is_new_; }
  /// What the folder's link tells of this generation. Until it is read anything may be. To be read
  /// with the network's lock held: what is done without it (a release that has to wait, the end of
  /// a flush) is told from the next command on.
  void read_mark(const std::string& generation) noexcept;
  [[nodiscard]] const BootMark& mark() const { return mark_; }
  /// Takes a lock of its own for it, and reads it again. False when it could not be written: then
  /// there is none, and whoever comes next looks for everything. Nothing is written before
  /// read_mark().
  bool change_mark(const std::function<void(BootMark&)>& change) noexcept;
  /// To be called before the records' folder is made anew: what was flushed above it counts no
  /// more, and what this boot's scan has learned went with it.
  void forget_records() noexcept;
  /// Is written with the next change.
  void set_kernels_boot() { mark_.has_kernels_boot = true; }

  /// True when the folders above the records' have been flushed in this boot. For run delegates,
  /// whose networks have no mark.
  [[nodiscard]] bool is_flushed(const std::string& boot_id) noexcept;
  void mark_flushed(const std::string& boot_id) noexcept;

  /// The boot since whose first ADD everything is told in this folder; nullopt when that is not
  /// known.
  [[nodiscard]] std::optional<std::string> known_since() noexcept { return read_link(kSince); }
  void mark_known_since(const std::string& boot_id) noexcept {
    static_cast<void>(put_link(kSince, boot_id));
  }

  /// What tells this /run from one before or beside it; the first caller's `make()` is kept. Empty
  /// where nothing can be kept.
  [[nodiscard]] std::string mark_of_run(const std::function<std::string()>& make) noexcept;

  /// The next sequence number. `highest` finds the highest one in the records when the counter is
  /// gone. It never wraps: no number is above kSequenceLimit.
  [[nodiscard]] std::uint64_t next_sequence(const std::function<std::uint64_t()>& highest);
  /// Releases of this boot have higher numbers than this one; nullopt when there was none, or when
  /// nothing is known of them.
  [[nodiscard]] std::optional<std::uint64_t> sequence_before_boot() noexcept;

  /// Remembers that a binding ended as another pod got its address, for who wants to know why a pod
  /// did not come back to it. Only bindings of earlier boots: those of this one are nothing that a
  /// reboot did, and would be without number. One an address: the last one.
  void put_evicted(const Address& address, const Binding& binding) noexcept;
  /// Takes back what put_evicted() has remembered of this binding.
  void remove_evicted(const Address& address, const Binding& binding) noexcept;
  /// By address.
  [[nodiscard]] std::vector<Evicted> evicted() noexcept;

  /// When the attachment was deleted last; nullopt when it was not, in another boot, or too long
  /// ago.
  [[nodiscard]] std::optional<std::uint64_t> tombstone(const Attachment& attachment) noexcept;
  /// `now`: nanoseconds of CLOCK_BOOTTIME. Bounded: tombstones of over 10 minutes go, and the
  /// oldest half when there are over 4 096.
  void put_tombstone(const Attachment& attachment, std::uint64_t now) noexcept;
  void remove_tombstone(const Attachment& attachment) noexcept;

  /// Addresses that are set aside, by name, with what is said of each.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> set_aside() noexcept;
  /// Without read_mark() the mark goes, as it cannot tell of it.
  void put_set_aside(const std::string& name, const std::string& text) noexcept;
  void remove_set_aside(const std::string& name) noexcept;

  /// A repeated ADD, see add_above(), was answered with what the attachment has: when its main
  /// plugin fails and takes it back, that must not end what the first ADD gave. Or: what its ADD
  /// took over.
  void put_repeat(const Attachment& attachment, const std::string& add) noexcept;
  /// The repeated ADD of the attachment that was answered last; nullopt when there was none.
  [[nodiscard]] std::optional<std::string> repeat(const Attachment& attachment) noexcept;
  void remove_repeat(const Attachment& attachment) noexcept;

  /// Remembers that somebody had these addresses. Bounded: one mark serves 4 096 addresses apart,
  /// so that in a range wider than that some count as used which were not.
  void mark_used(const std::vector<Address>& addresses) noexcept;
  /// Remembers that nothing is known of who had which address in this boot.
  void mark_all_used() noexcept;
  [[nodiscard]] bool was_used(const Address& address) noexcept;

  /// Remembers a release for the next command that can write; false when even that is impossible.
  [[nodiscard]] bool put_pending(const Attachment& attachment) noexcept;
  [[nodiscard]] bool is_pending(const Attachment& attachment) noexcept;
  /// The releases that wait, in the order in which they were asked for.
  [[nodiscard]] std::vector<Attachment> pending() noexcept;
  void remove_pending(const Attachment& attachment) noexcept;

  void put_unbound(const Address& address) noexcept;
  [[nodiscard]] bool is_unbound(const Address& address) noexcept;
  void remove_unbound(const Address& address) noexcept;

  /// Says that files of the attachment are about to be removed: whoever answers that it has none
  /// must flush first, until remove_unflushed(). To be put before the first file is removed. False
  /// when it cannot be said: who removes the files must flush then, whatever comes.
  [[nodiscard]] bool put_unflushed(const Attachment& attachment) noexcept;
  /// True also where nothing can be kept: then nobody knows.
  [[nodiscard]] bool is_unflushed(const Attachment& attachment) noexcept;
  void remove_unflushed(const Attachment& attachment) noexcept;

 private:
  static constexpr const char* kSince = "since";
  static constexpr const char* kMark = "scan";

  /// Whatever fails here costs reading, never an answer. False without a folder, too.
  template <typename Step>
  [[nodiscard]] bool attempt(Step step) noexcept {
    if (!folder_) return false;
    try {
      step();
      return true;
    } catch (const std::exception&) {
      return false;
    }
  }
  [[nodiscard]] bool make_directory(const std::string& name) noexcept;
  [[nodiscard]] std::optional<std::string> read_link(const std::string& name) noexcept;
  [[nodiscard]] std::string with_boot(const std::string& text) const;
  [[nodiscard]] std::optional<std::string> read_of_boot(const std::string& name) noexcept;
  [[nodiscard]] bool put_link(const std::string& name, const std::string& target) noexcept;
  [[nodiscard]] BootMark read_mark_now() noexcept;
  [[nodiscard]] bool write_mark() noexcept;
  [[nodiscard]] bool rewrite_mark(const std::function<void(BootMark&)>& change) noexcept;
  [[nodiscard]] bool replace_link(const std::string& name, const std::string& target) noexcept;
  bool note(bool BootMark::*flag) noexcept;
  void remove(const std::string& name) noexcept;
  /// What the link "sequence" says.
  struct Sequence {
    std::uint64_t last = 0;
    std::optional<std::uint64_t> before_boot;  ///< nullopt where another boot wrote it
  };
  [[nodiscard]] std::optional<Sequence> read_sequence() noexcept;
  void bound_tombstones(std::uint64_t now) noexcept;

  FileSystem& fs_;
  std::optional<Directory> folder_;
  std::string boot_id_;
  bool is_new_ = false;     // this object made it: nothing is marked in it
  std::string generation_;  // empty: the mark is not read
  BootMark mark_;
  std::string written_;              // the mark as it is on the disk
  std::optional<std::string> used_;  // what the mark "used" says; empty: there is none
};

/// How long an ADD may be under way: older ones give up, so that tombstones need not be kept for
/// ever. Nanoseconds.
inline constexpr std::uint64_t kLongestAdd = 600'000'000'000;

}  // namespace allocator::store
