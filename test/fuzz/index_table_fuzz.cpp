// The index as a table: any sequence of what commands do to it, beside a plain list that does the
// same. Whatever it answers is what the list has; full or torn it says that it cannot tell.
#include <algorithm>

#include "allocator/store/index/attachment_index.hpp"
#include "test/fuzz/target.hpp"
#include "test/unit/support/hooked_file_system.hpp"
#include "test/unit/support/temp_dir.hpp"
#include "test/unit/support/values.hpp"

namespace {

using allocator::Address;
using allocator::HeldAddress;
using allocator::store::AttachmentIndex;
using fuzz::Input;
using fuzz::require;
using Entry = AttachmentIndex::Entry;

constexpr std::size_t kContainers = 48;
constexpr std::size_t kRoomForHeld = 8;  // rounded up to 256

Address address_of(Input& input) {
  const unsigned number = input.byte();
  return input.coin()
             ? Address(allocator::Family::v4, 0x0a000000U + number)
             : Address(allocator::Family::v6, (allocator::Uint128{0x20010db8} << 96) + number);
}

bool is_same(const Entry& left, const Entry& right) {
  return left.container_id == right.container_id && left.address == right.address;
}

bool is_same(const HeldAddress& left, const HeldAddress& right) {
  return left.address == right.address && left.space == right.space && left.pod == right.pod &&
         left.sequence == right.sequence;
}

/// The table, and the list beside it.
class Twins {
 public:
  Twins() : run_(*files_.open_directory(dir_.path())) { make({}); }

  void begin() {
    entries_.clear();
    held_.clear();
    make({});
  }

  void step(Input& input) {
    switch (input.below(8)) {
      case 0:
      case 1:
      case 2:
        return put({container(input), address_of(input)});
      case 3:
        return remove({container(input), address_of(input)});
      case 4:
        if (!entries_.empty())
          remove(entries_.at(input.below(std::min<std::size_t>(256, entries_.size()))));
        return;
      case 5:
        return hold({address_of(input), input.byte(), input.byte(), input.byte()});
      case 6:
        return let_go(address_of(input));
      default:
        return reopen(input.coin());
    }
  }

  void check() const {
    for (std::size_t i = 0; i < kContainers; ++i) check_container("c" + std::to_string(i));
    const auto held = index_->held();
    require(held.size() == held_.size(), "another number of held addresses");
    for (const auto& one : held_) {
      require(std::any_of(held.begin(), held.end(),
                          [&](const auto& other) { return is_same(one, other); }),
              "a held address is lost: " + one.address.to_string());
    }
  }

 private:
  static std::string container(Input& input) {
    return "c" + std::to_string(input.below(kContainers));
  }

  void make(const std::vector<Entry>& entries) {
    index_ = AttachmentIndex::make(files_, run_, {boot_, folder_}, entries, kRoomForHeld);
    require(index_.has_value(), "no index can be made");
    index_->set_held({});
  }

  void put(const Entry& entry) {
    const auto known = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const Entry& other) { return is_same(entry, other); });
    if (!index_->put(entry)) return make_anew();
    if (known == entries_.end()) entries_.push_back(entry);
  }

  /// As the store does: what has no room is made anew, larger.
  void make_anew() {
    const auto held = index_->held();
    make(entries_);
    index_->set_held(held);
  }

  void remove(const Entry entry) {
    const auto known = std::find_if(entries_.begin(), entries_.end(),
                                    [&](const Entry& other) { return is_same(entry, other); });
    require(index_->remove(entry) == (known != entries_.end()), "it was there, or was not");
    if (known != entries_.end()) entries_.erase(known);
  }

  void hold(const HeldAddress& one) {
    if (!index_->put_held(one)) return;
    let_go_in_list(one.address);
    held_.push_back(one);
  }

  void let_go(const Address& address) {
    index_->remove_held(address);
    let_go_in_list(address);
  }

  void let_go_in_list(const Address& address) {
    std::erase_if(held_, [&](const HeldAddress& one) { return one.address == address; });
  }

  /// By the next command, from the file; or a larger one is made of it.
  void reopen(bool larger) {
    index_->seal(folder_);
    require(index_->tells_of({boot_, folder_}), "it does not tell of its folder");
    index_ = AttachmentIndex::open(files_, run_);
    require(index_.has_value(), "its own file is not sound");
    if (!larger) return;
    const auto held = index_->held();
    index_ = AttachmentIndex::make_from(files_, run_, *index_, held.size() + 1);
    require(index_ && !index_->tells_of({boot_, folder_}), "a new index tells of a folder");
    index_->set_held(held);
  }

  void check_container(const std::string& id) const {
    const auto found = index_->addresses_of(id);
    if (!found) return;
    for (const auto& entry : entries_) {
      require(entry.container_id != id || contains(*found, entry.address),
              "an address of " + id + " is hidden: " + entry.address.to_string());
    }
    for (const auto& address : *found) {
      require(std::any_of(entries_.begin(), entries_.end(),
                          [&](const Entry& entry) {
                            return is_same(entry, {id, address});
                          }),
              "an address that " + id + " does not have: " + address.to_string());
    }
  }

  const std::string boot_ = "11111111-aaaa-4bbb-8ccc-000000000001";
  const allocator::store::FileIdentity folder_{1, 7, allocator::store::FileKind::directory, 0, 5,
                                               9, 11};
  test::TempDir dir_;
  test::HookedFileSystem files_;
  allocator::store::Directory run_;
  std::optional<AttachmentIndex> index_;
  std::vector<Entry> entries_;
  std::vector<HeldAddress> held_;
};

void run(std::string_view bytes) {
  static Twins twins;
  twins.begin();
  for (Input input(bytes); !input.is_empty();) twins.step(input);
  twins.check();
}

const fuzz::Registration kTarget("index_table", &run);

}  // namespace
