/// How a network folder is known without reading it: by the index, and by single looks.
#include <algorithm>
#include <system_error>

#include "allocator/store/disk/errors.hpp"
#include "allocator/store/index/odd_time.hpp"
#include "allocator/store/state/network_dir.hpp"
#include "allocator/store/state/run_folder.hpp"

namespace allocator::store {
namespace {

/// Below this many files reading them costs less than keeping an index (test/bench/run.sh).
constexpr std::size_t kFewestFiles = 16;
/// From so many single looks on, one list of all names is cheaper.
constexpr std::size_t kSingleNames = 64;

}  // namespace

void NetworkDir::use_index(RunFolder* run, const std::string& boot_id) {
  run_ = boot_id.empty() ? nullptr : run;
  boot_id_ = boot_id;
  index_.reset();
  here_.reset();
  is_current_ = false;
}

void NetworkDir::look() {
  if (is_current_) return;
  forget();
  if (index_ || open_index()) {
    is_current_ = true;
  } else {
    read_all();
  }
}

void NetworkDir::scan() {
  forget();
  index_.reset();
  here_.reset();
  read_all();
}

/// The folder as it is now; none where nobody needs to know, or can.
std::optional<FileIdentity> NetworkDir::times() noexcept {
  try {
    return has_run() ? std::optional(fs_.identify(folder_.fd)) : std::nullopt;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

void NetworkDir::forget() {
  files_.clear();
  by_address_.clear();
  cursors_.clear();
  nested_.clear();
  nested_trouble_.clear();
  has_files_ = false;
  reader_.reset();
  listed_.clear();
  looked_at_.clear();
  looks_ = 0;
  names_.reset();
}

bool NetworkDir::open_index() {
  here_.reset();
  if (!has_run() || !run_->mark().has_index) return false;
  try {
    index_ = AttachmentIndex::open(fs_, *run_->folder());
    if (!index_) return false;
    here_ = times();
    const bool is_true = here_ && index_->tells_of({boot_id_, *here_}) &&
                         !fs_.identify(folder_, nested_name(folder_.path));
    if (!is_true) index_.reset();
  } catch (const std::system_error&) {
    index_.reset();
  }
  return index_.has_value();
}

bool NetworkDir::has_run() const { return run_ != nullptr && run_->folder() != nullptr; }

/// It said what is not so, or missed what is.
void NetworkDir::distrust_index() {
  if (index_) index_->begin();
  index_.reset();
  scan();
}

const std::vector<AttachmentFile>& NetworkDir::files() {
  if (has_files_) return files_;
  if (reader_) {
    read_listed();
  } else {
    scan();
  }
  return files_;
}

std::vector<AttachmentFile> NetworkDir::find_container(const std::string& container_id) {
  if (!has_files_ && index_) {
    if (auto found = find_by_index(container_id)) return *std::move(found);
    distrust_index();
  }
  std::vector<AttachmentFile> found;
  std::copy_if(files().begin(), files().end(), std::back_inserter(found), [&](const auto& file) {
    return !file.owner.empty() && parse_owner(file.owner).container_id == container_id;
  });
  return found;
}

/// nullopt when the index cannot tell, or tells what is not so.
std::optional<std::vector<AttachmentFile>> NetworkDir::find_by_index(
    const std::string& container_id) {
  const auto addresses = index_->addresses_of(container_id);
  if (!addresses) return std::nullopt;
  std::vector<AttachmentFile> found;
  for (const auto& address : *addresses) {
    const AttachmentFile* file = file_of(address);
    if (file == nullptr || parse_owner(file->owner).container_id != container_id)
      return std::nullopt;
    found.push_back(*file);
  }
  std::sort(found.begin(), found.end(),
            [](const auto& one, const auto& other) { return one.name < other.name; });
  return found;
}

const AttachmentFile* NetworkDir::file_of(const Address& address) {
  if (has_files_) {
    const auto found = by_address_.find(address);
    return found == by_address_.end() ? nullptr : &files_[found->second];
  }
  if (!is_in_use(address)) return nullptr;
  auto& file = looked_at_[address];
  if (!file) file = read_entry(address.to_string(), Kind::unknown);
  return &*file;
}

/// The names in a folder are an index of their own, which the kernel keeps.
bool NetworkDir::is_in_use(const Address& address) {
  if (held_back_.count(address) != 0) return true;
  if (has_files_) return by_address_.count(address) != 0 || nested_.count(address) != 0;
  const auto looked_at = looked_at_.find(address);
  if (looked_at != looked_at_.end()) return looked_at->second.has_value();
  if (!names_ && ++looks_ > kSingleNames) list_names();
  if (names_) return names_->contains(address);
  if (is_in_use_now(address)) return true;
  looked_at_.emplace(address, std::nullopt);
  return false;
}

/// What the disk does not even tell the kind of is in use, as one that cannot be read; from here on
/// everything is read, as before there was an index.
bool NetworkDir::is_in_use_now(const Address& address) {
  if (nested_.count(address) != 0 || held_back_.count(address) != 0) return true;
  try {
    return fs_.identify(folder_, address.to_string()).has_value();
  } catch (const std::system_error& error) {
    if (is_own_want(error)) throw;
    if (index_) index_->begin();
    is_sealable_ = false;
    return true;
  }
}

void NetworkDir::list_names() {
  AddressSet names;
  fs_.visit(folder_, [&](const DirectoryEntry& entry) {
    if (const auto address = address_of_name(entry.name)) names.insert(*address);
  });
  names_ = std::move(names);
}

Outcome NetworkDir::publish(const Fd& file, const Attachment& attachment, const Address& address) {
  will_change();
  const Outcome outcome = fs_.link_file(file, folder_, address.to_string());
  if (outcome != Outcome::done) {
    is_sealable_ = false;  // somebody made it without a look at the lock
    return outcome;
  }
  AttachmentIndex::Entry entry{attachment.container_id, address};
  if (index_ && !index_->put(entry)) is_sealable_ = false;
  if (!index_) added_.push_back(std::move(entry));
  return outcome;
}

Outcome NetworkDir::remove(const std::string& name) {
  will_change();
  const Outcome outcome = fs_.unlink(folder_, name);
  note_removed(name);
  return outcome;
}

void NetworkDir::note_removed(const std::string& name) {
  removed_.insert(name);
  std::erase_if(added_, [&](const auto& entry) { return entry.address.to_string() == name; });
  if (!index_) return;
  const auto address = Address::parse(name);
  const auto known = address ? looked_at_.find(*address) : looked_at_.end();
  const bool is_known = known != looked_at_.end() && known->second;
  const bool is_removed =
      is_known &&
      index_->remove({parse_owner(known->second->owner).container_id, *known->second->address});
  if (!is_removed) is_sealable_ = false;
}

bool NetworkDir::is_worth_it(std::size_t files) const {
  return std::max(files, wanted_held_) >= kFewestFiles;
}

/// Before the first change: has anybody else changed the folder since it was looked at?
void NetworkDir::will_change() {
  is_current_ = false;
  if (is_changing_ || !here_) return;
  is_changing_ = true;
  if (!index_ && !is_worth_it(files_.size() + 1)) return;  // there will be none
  if (index_) index_->begin();
  if (has_changed()) is_sealable_ = false;
}

/// By whomever: what was known of the folder when it was looked at is not known any more.
bool NetworkDir::has_changed() noexcept {
  const auto now = times();
  return !now || now->modified_ns != here_->modified_ns || now->changed_ns != here_->changed_ns;
}

/// What changes without a change of the folder itself must not be there: a folder in it, in which
/// others may reserve addresses; a file that reserves one and does not say for whom; a file of any
/// other name, as OpenYurt's host-local writes over the address' own where it finds its marker.
bool NetworkDir::deserves_index() const {
  if (!is_worth_it(files_.size()) || !nested_.empty() || !nested_trouble_.empty()) return false;
  return std::all_of(files_.begin(), files_.end(), [](const AttachmentFile& file) {
    return file.address && file.readable && !file.owner.empty();
  });
}

/// For few files alone there would have been no index: what it is made from is read once more,
/// behind a look at the times.
void NetworkDir::want_held(std::size_t count) {
  wanted_held_ = count;
  const bool is_too_late = !has_run() || here_ || !is_current_ || !has_files_;
  if (!is_too_late && is_worth_it(0)) scan();
}

void NetworkDir::make_index() {
  if (!has_files_ || !deserves_index()) return;
  std::vector<AttachmentIndex::Entry> entries = added_;
  for (const auto& file : files_) {
    const bool counts = file.address && removed_.count(file.name) == 0;
    if (counts) entries.push_back({parse_owner(file.owner).container_id, *file.address});
  }
  index_ = AttachmentIndex::make(fs_, *run_->folder(), {boot_id_, *here_}, entries, wanted_held_);
}

void NetworkDir::seal() noexcept {
  if (!here_ || !is_sealable_ || (index_ && !is_changing_)) return;
  try {
    const bool is_ready = index_ && index_->room_for_held() >= wanted_held_;
    if (!is_ready && !prepare_index()) return;
    here_ = mark_with_odd_time(fs_, folder_);
    if (here_) index_->seal(*here_);
    is_changing_ = false;
  } catch (const std::exception&) {
    is_sealable_ = false;
  }
}

/// Making one takes its time: false when somebody changed the folder meanwhile, too.
bool NetworkDir::prepare_index() {
  if (is_changing_) here_ = times();
  if (!here_) return false;
  if (index_) {
    index_ = AttachmentIndex::make_from(fs_, *run_->folder(), *index_, wanted_held_);
  } else {
    make_index();
  }
  // The next command looks for it only where it is told of.
  if (index_ && !run_->change_mark([](BootMark& mark) { mark.has_index = true; })) return false;
  if (index_ && !has_changed()) return true;
  is_sealable_ = false;
  return false;
}

}  // namespace allocator::store
