#include "allocator/store/state/run_folder.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <map>
#include <utility>

#include "allocator/fields.hpp"
#include "allocator/store/disk/folders.hpp"
#include "allocator/store/disk/sha256.hpp"
#include "allocator/store/state/network_dir.hpp"

namespace allocator::store {
namespace {

constexpr std::size_t kTombstoneLimit = 4096;
constexpr const char* kSequence = "sequence";
constexpr const char* kTombs = "tombs";
constexpr const char* kPending = "pending";

constexpr const char* kRepeats = "repeats";

constexpr const char* kUsed = "used";
constexpr const char* kAllUsed = "all";
constexpr unsigned kUsedMask = 0xfff;

constexpr const char* kFlushed = "boot";
constexpr std::chrono::milliseconds kMarkPatience(1000);

std::string name_in(const char* folder, const Attachment& attachment) {
  return std::string(folder) + "/" + sha256_hex(owner_text(attachment));
}

std::string used_name(const Address& address) {
  return std::string(kUsed) + (address.family() == Family::v4 ? ".4." : ".6.") +
         std::to_string(static_cast<unsigned>(address.number() & kUsedMask));
}

/// One tombstone in 64 is the occasion to look at all of them: listing them is for now and then.
bool is_occasion(const std::string& tomb_name) {
  const auto key = tomb_name.find('/') + 1;
  return tomb_name[key] == '0' && tomb_name[key + 1] < '4';
}

}  // namespace

RunFolder::RunFolder(FileSystem& fs, const std::string& run_dir,
                     const FileIdentity& network_folder) noexcept
    : RunFolder(fs, run_dir + "/" + std::to_string(network_folder.device) + ":" +
                        std::to_string(network_folder.inode)) {}

RunFolder::RunFolder(FileSystem& fs, const std::string& path) noexcept : fs_(fs) {
  try {
    std::vector<std::string> changed;  // tmpfs: nothing to flush
    folder_ = ensure_folder(fs, path, kOwnFolderMode, changed);
    is_new_ = !changed.empty();
  } catch (const std::exception&) {
    folder_.reset();
  }
}

std::optional<std::string> RunFolder::read_link(const std::string& name) noexcept {
  std::optional<std::string> target;
  static_cast<void>(attempt([&] { target = fs_.read_link(*folder_, name); }));
  return target;
}

std::string RunFolder::with_boot(const std::string& text) const {
  return boot_id_.empty() ? text : text + "~" + boot_id_;
}

/// What with_boot() wrote, without the boot; nullopt for another boot's. Earlier versions named
/// none, and whoever cannot read the boot_id compares none.
std::optional<std::string> RunFolder::read_of_boot(const std::string& name) noexcept {
  auto text = read_link(name);
  const auto end = text ? text->find('~') : std::string::npos;
  if (end == std::string::npos) return text;
  const bool is_other = !boot_id_.empty() && text->substr(end + 1) != boot_id_;
  return is_other ? std::nullopt : std::optional(text->substr(0, end));
}

bool RunFolder::put_link(const std::string& name, const std::string& target) noexcept {
  bool is_there = false;
  static_cast<void>(attempt([&] {
    is_there = fs_.make_link(target, *folder_, name) == Outcome::done;
    if (is_there) return;
    fs_.unlink(*folder_, name);
    is_there = fs_.make_link(target, *folder_, name) == Outcome::done;
  }));
  return is_there;
}

/// By rename: a process that is killed leaves the old one or the new one.
bool RunFolder::replace_link(const std::string& name, const std::string& target) noexcept {
  return put_link(name + ".new", target) &&
         attempt([&] { fs_.rename(*folder_, name + ".new", name); });
}

bool RunFolder::make_directory(const std::string& name) noexcept {
  return attempt([&] { fs_.make_directory(folder_->path + "/" + name, kOwnFolderMode); });
}

void RunFolder::remove(const std::string& name) noexcept {
  static_cast<void>(attempt([&] { fs_.unlink(*folder_, name); }));
}

void RunFolder::read_mark(const std::string& generation) noexcept {
  generation_ = generation;
  mark_ = read_mark_now();
}

/// What cannot be read may say anything, also in a folder that this object has made.
BootMark RunFolder::read_mark_now() noexcept {
  std::optional<std::string> text;
  const bool is_told = attempt([&] { text = fs_.read_link(*folder_, kMark); });
  written_ = text.value_or("");
  if (!generation_.empty() && written_.starts_with(generation_))
    return decode_boot_mark(std::string_view(written_).substr(generation_.size()));
  return is_new_ && is_told && !text ? BootMark::of_new_folder() : BootMark();
}

bool RunFolder::write_mark() noexcept {
  const std::string text = generation_ + encode(mark_);
  if (text == written_) return true;
  // What is so must not be forgotten when this process is killed in between.
  const bool is_there = written_.empty() ? put_link(kMark, text) : replace_link(kMark, text);
  written_ = is_there ? text : "";
  return is_there;
}

bool RunFolder::change_mark(const std::function<void(BootMark&)>& change) noexcept {
  change(mark_);
  if (generation_.empty()) return false;
  return written_ == generation_ + encode(mark_) || rewrite_mark(change);
}

bool RunFolder::rewrite_mark(const std::function<void(BootMark&)>& change) noexcept {
  bool is_there = false;
  static_cast<void>(attempt([&] {
    // Of two that change it at once neither may forget what the other one says.
    if (fs_.lock(folder_->fd, kMarkPatience) == LockResult::timed_out) return;
    const bool has_kernels_boot = mark_.has_kernels_boot;
    mark_ = read_mark_now();
    mark_.has_kernels_boot |= has_kernels_boot;
    change(mark_);
    is_there = write_mark();
    fs_.unlock(folder_->fd);
  }));
  // A full file system takes no new link, but lets one go.
  if (!is_there) remove(kMark);
  return is_there;
}

void RunFolder::forget_records() noexcept {
  // Others may have flushed, and said so, since this object has read the mark.
  if (generation_.empty() || written_.empty()) return;
  static_cast<void>(rewrite_mark([](BootMark& mark) {
    mark.is_flushed = false;
    mark.scan = BootScanState::due;
  }));
}

/// Something that the mark tells of is about to be so.
bool RunFolder::note(bool BootMark::*flag) noexcept {
  return change_mark([&](BootMark& mark) { mark.*flag = true; });
}

bool RunFolder::is_flushed(const std::string& boot_id) noexcept {
  return !boot_id.empty() && read_link(kFlushed) == boot_id;
}

void RunFolder::mark_flushed(const std::string& boot_id) noexcept {
  static_cast<void>(put_link(kFlushed, boot_id));
}

std::optional<std::uint64_t> RunFolder::tombstone(const Attachment& attachment) noexcept {
  return parse_number(read_of_boot(name_in(kTombs, attachment)).value_or(""));
}

void RunFolder::put_tombstone(const Attachment& attachment, std::uint64_t now) noexcept {
  if (!folder_) return;
  const std::string name = name_in(kTombs, attachment);
  // In a new folder the link must fail: a call and an exception for what is known beforehand.
  if (is_new_ || !put_link(name, with_boot(std::to_string(now)))) {
    if (!make_directory(kTombs)) return;
    static_cast<void>(put_link(name, with_boot(std::to_string(now))));
  }
  if (is_occasion(name)) bound_tombstones(now);
}

void RunFolder::bound_tombstones(std::uint64_t now) noexcept {
  static_cast<void>(attempt([&] {
    const auto tombs = fs_.open_directory(folder_->path + "/" + kTombs);
    if (!tombs) return;
    std::vector<std::pair<std::uint64_t, std::string>> by_age;
    for (const auto& name : fs_.list(*tombs)) {
      const auto when = parse_number(read_of_boot(std::string(kTombs) + "/" + name).value_or(""));
      by_age.emplace_back(when && *when <= now ? *when : 0, name);  // another boot's goes first
    }
    std::sort(by_age.begin(), by_age.end());
    const std::size_t surplus = by_age.size() > kTombstoneLimit ? by_age.size() / 2 : 0;
    for (std::size_t i = 0; i < by_age.size(); ++i) {
      if (i >= surplus && by_age[i].first + kLongestAdd > now) break;
      fs_.unlink(*tombs, by_age[i].second);
    }
  }));
}

void RunFolder::remove_tombstone(const Attachment& attachment) noexcept {
  remove(name_in(kTombs, attachment));
}

void RunFolder::put_repeat(const Attachment& attachment, const std::string& add) noexcept {
  if (!make_directory(kRepeats)) return;
  note(&BootMark::has_repeats);
  static_cast<void>(put_link(name_in(kRepeats, attachment), with_boot(add)));
}

std::optional<std::string> RunFolder::repeat(const Attachment& attachment) noexcept {
  return mark_.has_repeats ? read_of_boot(name_in(kRepeats, attachment)) : std::nullopt;
}

void RunFolder::remove_repeat(const Attachment& attachment) noexcept {
  remove(name_in(kRepeats, attachment));
}

void RunFolder::mark_used(const std::vector<Address>& addresses) noexcept {
  if (addresses.empty()) return;
  note(&BootMark::has_used);
  // Where it fails, some neighbours have to find out by themselves.
  static_cast<void>(attempt([&] {
    for (const auto& address : addresses) fs_.make_link("1", *folder_, used_name(address));
    fs_.make_link("1", *folder_, kUsed);
  }));
}

void RunFolder::mark_all_used() noexcept {
  note(&BootMark::has_used);
  static_cast<void>(put_link(kUsed, kAllUsed));
  used_ = kAllUsed;
}

bool RunFolder::was_used(const Address& address) noexcept {
  if (!mark_.has_used) return false;
  if (!used_) used_ = read_link(kUsed).value_or("");
  if (used_->empty()) return false;
  return *used_ == kAllUsed || read_link(used_name(address)).has_value();
}

bool RunFolder::put_pending(const Attachment& attachment) noexcept {
  // Without a lock file there is no generation, and no mark that could hide it.
  return make_directory(kPending) && (generation_.empty() || note(&BootMark::has_pending)) &&
         put_link(name_in(kPending, attachment), owner_text(attachment));
}

bool RunFolder::is_pending(const Attachment& attachment) noexcept {
  return read_link(name_in(kPending, attachment)) == owner_text(attachment);
}

bool RunFolder::is_strangers() noexcept {
  bool is_ours = true;
  return !is_new_ && attempt([&] { is_ours = fs_.identify(folder_->fd).is_private; }) && !is_ours;
}

std::vector<Attachment> RunFolder::pending() noexcept {
  std::vector<Attachment> attachments;
  if (!mark_.has_pending || is_strangers()) return attachments;
  static_cast<void>(attempt([&] {
    const auto folder = fs_.open_directory(folder_->path + "/" + kPending);
    if (!folder) return;
    // A folder lists its names in any order. A clock that was set back mixes up the queue of who is
    // held longest, and nothing else.
    std::multimap<std::int64_t, std::string> by_age;
    for (const auto& name : fs_.list(*folder)) {
      const auto link = fs_.identify(*folder, name);
      if (link) by_age.emplace(link->changed_ns, name);
    }
    for (const auto& [since, name] : by_age) {
      const auto owner = read_link(std::string(kPending) + "/" + name);
      if (owner) attachments.push_back(parse_owner(*owner));
    }
  }));
  return attachments;
}

void RunFolder::remove_pending(const Attachment& attachment) noexcept {
  remove(name_in(kPending, attachment));
}

/// nullopt for what is no counter.
std::optional<RunFolder::Sequence> RunFolder::read_sequence() noexcept {
  const std::string text = read_link(kSequence).value_or("");
  const std::size_t end = std::min(text.find('~'), text.size());
  const std::size_t dot = std::min(text.find('.'), end);
  const auto last = parse_number(std::string_view(text).substr(0, dot));
  if (!last || *last >= kSequenceLimit) return std::nullopt;
  Sequence sequence{*last, std::nullopt};
  const bool is_of_boot =
      !boot_id_.empty() && text.substr(std::min(end + 1, text.size())) == boot_id_;
  if (dot < end && is_of_boot)
    sequence.before_boot = parse_number(std::string_view(text).substr(dot + 1, end - dot - 1));
  return sequence;
}

std::uint64_t RunFolder::next_sequence(const std::function<std::uint64_t()>& highest) {
  const auto known = read_sequence();
  const std::uint64_t last = known ? known->last : std::min(highest(), kSequenceLimit - 1);
  const std::uint64_t before = known ? known->before_boot.value_or(last) : last;
  // A counter that could not be raised must not be believed later: forget it.
  const bool is_raised =
      replace_link(kSequence, with_boot(std::to_string(last + 1) + "." + std::to_string(before)));
  if (!is_raised && !attempt([&] { fs_.unlink(*folder_, kSequence); })) folder_.reset();
  return last + 1;
}

std::optional<std::uint64_t> RunFolder::sequence_before_boot() noexcept {
  const auto known = read_sequence();
  return known ? known->before_boot : std::nullopt;
}

}  // namespace allocator::store
