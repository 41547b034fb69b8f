#include "allocator/store/index/attachment_index.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstring>

#include "allocator/store/disk/sha256.hpp"

namespace allocator::store {
namespace {

constexpr const char* kName = "index";
constexpr unsigned kMode = 0600;
constexpr std::size_t kSizeLimit = std::size_t{16} << 20;
constexpr std::array<char, 8> kFormat = {'i', 'n', 'd', 'e', 'x', ' ', '1', '\n'};
constexpr std::size_t kBootIdLength = 40;  // 36 characters and a NUL, aligned
constexpr std::uint64_t kFewestSlots = 128;
constexpr std::uint64_t kSlotsAnEntry = 4;
constexpr std::uint64_t kSlotsAnEntryOfMany = 2;
constexpr std::uint64_t kFewestHeld = 256;
/// A container ID that has more addresses than this, or shares its part of the table with so many,
/// is not looked up.
constexpr std::uint64_t kChainLimit = 256;

/// IPv4 addresses as the IPv6 ones that stand for them: no other address is one of these.
constexpr Uint128 kMapped = Uint128{0xffff} << 32;

}  // namespace

struct AttachmentIndex::Header {
  std::array<char, 8> format;
  std::array<char, kBootIdLength> boot_id;
  std::uint64_t device;
  std::uint64_t inode;
  std::int64_t born_ns;
  std::uint64_t slots;  ///< a power of two
  std::uint64_t used;
  std::uint64_t held_room;
  std::uint64_t held;
  std::uint64_t records_inode;
  std::int64_t records_changed_ns;
  std::int64_t records_modified_ns;  ///< 0: the list of held addresses is not true
  std::int64_t changed_ns;
  std::int64_t modified_ns;  ///< 0: it tells of no folder
};

struct AttachmentIndex::Slot {
  std::uint64_t key;  ///< 0: empty
  std::uint64_t high;
  std::uint64_t low;

  friend bool operator==(const Slot&, const Slot&) = default;
};

struct AttachmentIndex::HeldSlot {
  std::uint64_t high;
  std::uint64_t low;
  std::uint64_t space;
  std::uint64_t pod;
  std::uint64_t sequence;
};

namespace {

/// One number for an address of either family.
Uint128 number_of(const Address& address) {
  return address.number() + (address.family() == Family::v4 ? kMapped : 0);
}

template <typename Slot>
Slot slot_of(const AttachmentIndex::Entry& entry) {
  const Uint128 number = number_of(entry.address);
  return {std::max<std::uint64_t>(sha256_number(entry.container_id), 1),
          static_cast<std::uint64_t>(number >> 64), static_cast<std::uint64_t>(number)};
}

template <typename Slot>
Slot held_slot(const HeldAddress& one) {
  const Uint128 number = number_of(one.address);
  return {static_cast<std::uint64_t>(number >> 64), static_cast<std::uint64_t>(number), one.space,
          one.pod, one.sequence};
}

template <typename Slot>
Address address_of(const Slot& slot) {
  const Uint128 number = Uint128{slot.high} << 64 | slot.low;
  const bool is_v4 = number >> 32 == kMapped >> 32;
  return is_v4 ? Address(Family::v4, number - kMapped) : Address(Family::v6, number);
}

}  // namespace

AttachmentIndex::Header& AttachmentIndex::header() const {
  return *static_cast<Header*>(mapping_.bytes());
}

AttachmentIndex::Slot* AttachmentIndex::slots() const {
  return reinterpret_cast<Slot*>(&header() + 1);
}

AttachmentIndex::HeldSlot* AttachmentIndex::held_slots() const {
  return reinterpret_cast<HeldSlot*>(slots() + header().slots);
}

/// Whatever lies there, no later step may leave the memory or run for ever.
bool AttachmentIndex::is_sound() const {
  if (mapping_.size() < sizeof(Header)) return false;
  const Header& known = header();
  const std::uint64_t most = kSizeLimit / sizeof(Slot);
  return known.format == kFormat && std::has_single_bit(known.slots) &&
         known.slots >= kFewestSlots && known.slots <= most && known.used < known.slots &&
         known.held_room <= most && known.held <= known.held_room &&
         mapping_.size() ==
             sizeof(Header) + known.slots * sizeof(Slot) + known.held_room * sizeof(HeldSlot);
}

bool AttachmentIndex::tells_of(const Folder& folder) const {
  const Header& known = header();
  const FileIdentity& now = folder.identity;
  return known.modified_ns != 0 && known.modified_ns == now.modified_ns &&
         known.changed_ns == now.changed_ns && known.device == now.device &&
         known.inode == now.inode && known.born_ns == now.born_ns &&
         std::string_view(known.boot_id.data(), ::strnlen(known.boot_id.data(), kBootIdLength)) ==
             folder.boot_id;
}

std::optional<AttachmentIndex> AttachmentIndex::open(FileSystem& fs, const Directory& run) {
  auto mapping = fs.map_file(run, kName, kSizeLimit);
  if (!mapping) return std::nullopt;
  AttachmentIndex index(std::move(*mapping));
  return index.is_sound() ? std::optional(std::move(index)) : std::nullopt;
}

std::optional<AttachmentIndex> AttachmentIndex::make_empty(FileSystem& fs, const Directory& run,
                                                           const Header& like) {
  const std::uint64_t size =
      sizeof(Header) + like.slots * sizeof(Slot) + like.held_room * sizeof(HeldSlot);
  if (size > kSizeLimit) return std::nullopt;
  AttachmentIndex index(fs.map_new_file(run, kName, static_cast<std::size_t>(size), kMode));
  index.header() = like;
  return index;
}

namespace {

/// With room for three times as many entries, where there is.
std::uint64_t slots_for(std::size_t entries, std::size_t slot_size) {
  const std::uint64_t ample = std::bit_ceil(std::max(kFewestSlots, kSlotsAnEntry * entries));
  return ample * slot_size < kSizeLimit ? ample : std::bit_ceil(kSlotsAnEntryOfMany * entries);
}

std::uint64_t room_for(std::size_t held) {
  return held == 0 ? 0 : std::bit_ceil(std::max<std::uint64_t>(kFewestHeld, 2 * held));
}

}  // namespace

std::optional<AttachmentIndex> AttachmentIndex::make(FileSystem& fs, const Directory& run,
                                                     const Folder& folder,
                                                     const std::vector<Entry>& entries,
                                                     std::size_t held) {
  if (folder.boot_id.size() >= kBootIdLength) return std::nullopt;
  Header header{};
  header.format = kFormat;
  folder.boot_id.copy(header.boot_id.data(), kBootIdLength - 1);
  header.device = folder.identity.device;
  header.inode = folder.identity.inode;
  header.born_ns = folder.identity.born_ns;
  header.slots = slots_for(entries.size(), sizeof(Slot));
  header.held_room = room_for(held);
  auto index = make_empty(fs, run, header);
  if (!index) return std::nullopt;
  for (const auto& entry : entries) {
    if (!index->put(entry)) return std::nullopt;
  }
  return index;
}

std::optional<AttachmentIndex> AttachmentIndex::make_from(FileSystem& fs, const Directory& run,
                                                          const AttachmentIndex& earlier,
                                                          std::size_t held) {
  Header header = earlier.header();
  header.modified_ns = 0;
  header.records_modified_ns = 0;
  header.held = 0;
  header.held_room = room_for(held);
  auto index = make_empty(fs, run, header);
  if (index) std::copy_n(earlier.slots(), header.slots, index->slots());
  return index;
}

std::optional<std::vector<Address>> AttachmentIndex::addresses_of(
    const std::string& container_id) const {
  const std::uint64_t mask = header().slots - 1;
  const auto key = slot_of<Slot>({container_id, Address(Family::v4, 0)}).key;
  std::vector<Address> addresses;
  for (std::uint64_t step = 0; step < kChainLimit; ++step) {
    const Slot& slot = slots()[(key + step) & mask];
    if (slot.key == 0) return addresses;
    if (slot.key == key) addresses.push_back(address_of(slot));
  }
  return std::nullopt;
}

/// Where the slot is, or the first empty one of its chain. Bounded, as the table may be anybody's.
std::uint64_t AttachmentIndex::place_of(const Slot& wanted) const {
  const std::uint64_t mask = header().slots - 1;
  std::uint64_t place = wanted.key & mask;
  for (std::uint64_t step = 0; step < mask; ++step) {
    if (slots()[place].key == 0 || slots()[place] == wanted) break;
    place = (place + 1) & mask;
  }
  return place;
}

bool AttachmentIndex::put(const Entry& entry) {
  Header& known = header();
  if (known.used + 1 > known.slots / 4 * 3) return false;
  const auto added = slot_of<Slot>(entry);
  Slot& slot = slots()[place_of(added)];
  if (slot == added) return true;
  if (slot.key != 0) return false;
  slot = added;
  ++known.used;
  return true;
}

/// What follows in the chain moves up, so that no look-up ends too early.
bool AttachmentIndex::remove(const Entry& entry) {
  Header& known = header();
  const std::uint64_t mask = known.slots - 1;
  const auto removed = slot_of<Slot>(entry);
  std::uint64_t hole = place_of(removed);
  if (!(slots()[hole] == removed)) return false;
  const std::uint64_t first = hole;
  for (std::uint64_t step = 1; step < known.slots; ++step) {
    const std::uint64_t place = (first + step) & mask;
    if (slots()[place].key == 0) break;
    const std::uint64_t from_home = (place - slots()[place].key) & mask;
    const std::uint64_t from_hole = (place - hole) & mask;
    if (from_home < from_hole) continue;
    slots()[hole] = slots()[place];
    hole = place;
  }
  slots()[hole] = Slot{};
  --known.used;
  return true;
}

/// The kernel keeps what was written when the process is killed; the compiler must keep the order.
void AttachmentIndex::begin() {
  std::atomic_ref(header().modified_ns).store(0);
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

void AttachmentIndex::seal(const FileIdentity& folder) {
  header().born_ns = folder.born_ns;  // where none is kept, it is the time of modification
  header().changed_ns = folder.changed_ns;
  std::atomic_ref(header().modified_ns).store(folder.modified_ns);
}

bool AttachmentIndex::has_held() const { return header().records_modified_ns != 0; }

std::size_t AttachmentIndex::room_for_held() const {
  return static_cast<std::size_t>(header().held_room);
}

void AttachmentIndex::trust_held(const FileIdentity& records) {
  const Header& known = header();
  is_held_trusted_ =
      known.records_modified_ns != 0 && known.records_modified_ns == records.modified_ns &&
      known.records_changed_ns == records.changed_ns && known.records_inode == records.inode;
}

void AttachmentIndex::distrust_held() {
  begin_held();
  is_held_trusted_ = false;
}

std::vector<HeldAddress> AttachmentIndex::held() const {
  std::vector<HeldAddress> held;
  held.reserve(static_cast<std::size_t>(header().held));
  std::for_each(held_slots(), held_slots() + header().held, [&](const HeldSlot& slot) {
    held.push_back({address_of(slot), slot.space, slot.pod, slot.sequence});
  });
  return held;
}

void AttachmentIndex::set_held(const std::vector<HeldAddress>& held) {
  std::transform(held.begin(), held.end(), held_slots(), held_slot<HeldSlot>);
  header().held = held.size();
  is_held_trusted_ = true;
}

/// They are few: 4 096 of a family, and a look at each costs less than one system call more.
AttachmentIndex::HeldSlot* AttachmentIndex::held_slot_of(const Address& address) const {
  const Uint128 number = number_of(address);
  return std::find_if(held_slots(), held_slots() + header().held, [&](const HeldSlot& slot) {
    return slot.high == static_cast<std::uint64_t>(number >> 64) &&
           slot.low == static_cast<std::uint64_t>(number);
  });
}

bool AttachmentIndex::put_held(const HeldAddress& one) {
  Header& known = header();
  HeldSlot* slot = held_slot_of(one.address);
  if (slot == held_slots() + known.held && known.held == known.held_room) return false;
  if (slot == held_slots() + known.held) ++known.held;
  *slot = held_slot<HeldSlot>(one);
  return true;
}

void AttachmentIndex::remove_held(const Address& address) {
  HeldSlot* const slot = held_slot_of(address);
  HeldSlot* const end = held_slots() + header().held;
  if (slot == end) return;
  *slot = *(end - 1);
  --header().held;
}

void AttachmentIndex::begin_held() {
  std::atomic_ref(header().records_modified_ns).store(0);
  std::atomic_thread_fence(std::memory_order_seq_cst);
}

void AttachmentIndex::seal_held(const FileIdentity& records) {
  header().records_inode = records.inode;
  header().records_changed_ns = records.changed_ns;
  std::atomic_ref(header().records_modified_ns).store(records.modified_ns);
}

}  // namespace allocator::store
