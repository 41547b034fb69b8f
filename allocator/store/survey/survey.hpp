#pragma once
/// What stands on the disk about one network, for who looks at it and changes nothing.
///
/// One look under the network's lock, where there is one to be had: every address that an
/// attachment holds or a record binds, and whatever is odd in the folders. An entry that cannot be
/// read or understood is told as such, and the others go on.
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "allocator/binding.hpp"
#include "allocator/store/disk/file_system.hpp"
#include "allocator/store/repair/flaws.hpp"
#include "allocator/store/state/record_folder.hpp"
#include "allocator/store/state/run_folder.hpp"
#include "allocator/store/state/stamp.hpp"

namespace allocator::store {

/// Where to look. Folders that are not there tell nothing, and are no error.
struct SurveyPlace {
  std::string network_dir;
  std::string state_dir;
  std::string run_dir = "/run/delegated-ipam";
  std::string boot_id_path = "/proc/sys/kernel/random/boot_id";
  /// The folders are a copy: the newest boot that they know stands for the present one, unless the
  /// copy has a /proc.
  bool is_copy = false;
  std::size_t cursors = 0;  ///< how many range sets to look for cursors of
  std::chrono::milliseconds lock_patience{2000};
  /// What the runtime's cache tells: then what is wrong with the records is looked for, too.
  const std::vector<CachedAttachment>* cached = nullptr;
  std::function<bool(const PodKey&)> retains = [](const PodKey&) { return true; };
  std::function<void()> goes_on = [] {};  ///< is called for each record and address file
};

/// One address that an attachment holds, or that a record binds.
struct SurveyedAddress {
  explicit SurveyedAddress(const Address& which) : address(which) {}

  Address address;
  bool is_in_use = false;   ///< a file reserves it
  bool is_dead = false;     ///< it does, and its owner is proven dead
  bool is_nested = false;   ///< the file lies in the nested folder
  bool is_closed = false;   ///< what binds it cannot be read: it is handed out to nobody
  bool has_record = false;  ///< a record is there, whatever it says
  /// The pod's own record names the address, too, or cannot be read: an ADD finds it by that one.
  bool is_led_to = true;
  std::optional<Attachment> attachment;  ///< who holds it; nullopt where the file does not tell
  std::optional<Binding> binding;
  std::optional<Stamp> stamp;
  /// Of who is bound now: what its pod had when the boot began in which it was bound.
  std::vector<Address> previous_boot;

  /// True when the binding is that of who holds the address: a DEL stamps it with a number.
  [[nodiscard]] bool is_bound_now() const { return is_in_use && binding && binding->sequence == 0; }
  /// True when the binding tells of the address as it is: nobody else has it.
  [[nodiscard]] bool is_told_by_binding() const {
    return binding && (!is_in_use || is_bound_now());
  }
};

/// Something that neither host-local nor this store puts there, or that cannot be read.
struct Oddity {
  enum class Kind : std::uint8_t {
    folder,            ///< a whole folder cannot be read
    unreadable_file,   ///< an address' file that the disk does not give
    no_regular_file,   ///< a folder, a link, a pipe in the place of an address' file
    empty_file,        ///< what a power cut leaves of a file that nobody flushed
    note,              ///< an address' file with a text that names no attachment
    foreign_name,      ///< a name that is no address
    lost_file,         ///< somebody removed it, and its pod lives; looked for where flaws are
    nested,            ///< addresses in use in a folder inside the network's own
    closed_record,     ///< damaged, or of a newer version
    malformed_record,  ///< a binding that makes no sense
    closed_pins,       ///< damaged, or of a newer version: nothing is pinned by hand
    cursor,            ///< that is no address; looked for where flaws are
    lock               ///< the folder was read without the lock
  };
  Kind kind;
  std::string path;
  std::string why = {};  ///< where there is more to say than the kind says
};

struct Survey {
  bool has_folder = false;   ///< the network folder is there
  bool has_records = false;  ///< so is that of the records
  std::string boot_id;       ///< of now; of a copy its first digits; empty: unknown
  /// The boots in which the network was used as records write them, oldest first; the present one
  /// is the last.
  std::vector<std::string> boots;
  std::map<Address, SurveyedAddress> addresses;
  std::vector<Oddity> oddities;
  std::vector<Flaw> flaws;          ///< of the records, where they were looked for
  std::vector<Attachment> pending;  ///< releases that wait for a disk that takes changes
  std::vector<Address> set_aside;   ///< see set_aside.hpp
  std::vector<Evicted> evicted;
  /// Bindings with a higher number were released in this boot; nullopt: none is known to be.
  std::optional<std::uint64_t> sequence_before_boot;
  std::vector<std::optional<Address>> cursors;
  std::optional<RememberedRanges> remembered;
  std::vector<Pin> pins;  ///< by hand

  /// nullptr for an address that nobody holds and nothing binds.
  [[nodiscard]] const SurveyedAddress* find(const Address& address) const;
};

/// Looks at a network. `fs`: only read from.
/// Errors: throws std::system_error for want of descriptors or memory, and of the right to look;
/// all other trouble is told in the oddities.
Survey survey(FileSystem& fs, const SurveyPlace& place);

/// How many boots ago a boot was, as records write it (its first eight digits); nullopt for one
/// that the survey does not know.
std::optional<std::size_t> boots_ago(const Survey& survey, const std::string& boot8);

}  // namespace allocator::store
