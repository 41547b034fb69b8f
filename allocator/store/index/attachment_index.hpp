#pragma once
/// What the network folder and the records say, in a form that is looked up instead of read: which
/// addresses the sandbox of an attachment has, and which are held. A file in the run folder, mapped
/// into memory.
///
///     index      header, slots (a hash table by container ID), held addresses in no order
///
/// It may vanish at any time and is never the truth. It tells of its folder only while the folder's
/// times of modification and of status change are those that it was sealed with: whoever changes
/// the folder without a word to it (the Go plugin, rm, a restored backup) changes both. The first
/// is a number of ours, which no clock gives, so that a change in the same tick is seen; the second
/// only the kernel sets, by its clock, so that a time that was put back is seen. The held addresses
/// stand and fall with the records' folder as well, in the same way. What it says of an attachment
/// or an address is looked at on the disk before it counts.
///
/// All methods want the network's lock held. After a crash: from begin() to seal() it tells of no
/// folder, and is made anew by the next command.
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "allocator/fairness.hpp"
#include "allocator/store/disk/file_system.hpp"

namespace allocator::store {

class AttachmentIndex {
 public:
  /// The folder that an index must be of, with the times that it has now.
  struct Folder {
    const std::string& boot_id;
    FileIdentity identity;
  };
  struct Entry {
    std::string container_id;
    Address address;
  };

  /// The index in the run folder, whatever it tells of; nullopt when there is none.
  /// Errors: throws std::system_error.
  static std::optional<AttachmentIndex> open(FileSystem& fs, const Directory& run);
  /// A new index in the place of any other, with room for more; it must be sealed.
  /// `held`: how many held addresses there must be room for; 0: they are not asked for.
  /// nullopt when there is too much for an index.
  /// Errors: throws std::system_error.
  static std::optional<AttachmentIndex> make(FileSystem& fs, const Directory& run,
                                             const Folder& folder,
                                             const std::vector<Entry>& entries, std::size_t held);
  /// The same with what `earlier` has of the attachments.
  static std::optional<AttachmentIndex> make_from(FileSystem& fs, const Directory& run,
                                                  const AttachmentIndex& earlier, std::size_t held);

  /// True when it tells of `folder` as that is now.
  [[nodiscard]] bool tells_of(const Folder& folder) const;

  /// The addresses of every attachment with this container ID, perhaps others among them. nullopt
  /// when it cannot be told.
  [[nodiscard]] std::optional<std::vector<Address>> addresses_of(
      const std::string& container_id) const;

  /// The folder is about to be changed.
  void begin();
  /// False when there is no room: then the index must not be sealed.
  [[nodiscard]] bool put(const Entry& entry);
  /// False when it is not there: then the index must not be sealed.
  [[nodiscard]] bool remove(const Entry& entry);
  /// The folder has these times now, and nothing in it that the index does not know.
  void seal(const FileIdentity& folder);

  /// True when the list of held addresses was sealed: whether it is true, trust_held() tells.
  [[nodiscard]] bool has_held() const;
  /// How many there is room for.
  [[nodiscard]] std::size_t room_for_held() const;
  /// Trusts the list if it tells of the records' folder as it is now.
  void trust_held(const FileIdentity& records);
  /// True when the list is true, or will be once what the command changes is put into it.
  [[nodiscard]] bool is_held_trusted() const { return is_held_trusted_; }
  void distrust_held();
  [[nodiscard]] std::vector<HeldAddress> held() const;
  /// Begins the list anew, and trusts it; there is room for all.
  void set_held(const std::vector<HeldAddress>& held);
  /// False when there is no room: then the list must not be sealed.
  [[nodiscard]] bool put_held(const HeldAddress& one);
  void remove_held(const Address& address);
  /// What is held is about to be changed.
  void begin_held();
  /// The records' folder has these times now.
  void seal_held(const FileIdentity& records);

 private:
  struct Header;
  struct Slot;
  struct HeldSlot;

  explicit AttachmentIndex(Mapping mapping) : mapping_(std::move(mapping)) {}

  [[nodiscard]] Header& header() const;
  [[nodiscard]] Slot* slots() const;
  [[nodiscard]] HeldSlot* held_slots() const;
  [[nodiscard]] HeldSlot* held_slot_of(const Address& address) const;
  static std::optional<AttachmentIndex> make_empty(FileSystem& fs, const Directory& run,
                                                   const Header& like);
  [[nodiscard]] std::uint64_t place_of(const Slot& wanted) const;
  [[nodiscard]] bool is_sound() const;

  Mapping mapping_;
  bool is_held_trusted_ = false;
};

}  // namespace allocator::store
