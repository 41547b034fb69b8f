#include "allocator/store/delegates/delegate_journal.hpp"

#include <algorithm>
#include <cerrno>
#include <exception>
#include <system_error>
#include <utility>

#include "allocator/fields.hpp"
#include "allocator/store/disk/folders.hpp"
#include "allocator/store/disk/network_lock.hpp"
#include "allocator/store/disk/sha256.hpp"
#include "allocator/store/state/network_dir.hpp"
#include "allocator/store/state/record_folder.hpp"

namespace allocator::store {
namespace {

constexpr unsigned kFileMode = 0600;
constexpr std::size_t kEntryLimit = 4096;
constexpr std::size_t kAnswerLimit = std::size_t{4} << 20;
constexpr int kReopenLimit = 64;
constexpr const char* kNewSuffix = ".new";

/// What key_of() makes.
bool is_key(std::string_view name) {
  constexpr std::size_t digits = 64;
  return name.size() == digits &&
         name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string key_of(const Attachment& attachment) { return sha256_hex(owner_text(attachment)); }

/// A part of the folder, which whoever may write to it could have filled.
Directory ensure_in(FileSystem& fs, RunFolder& run, const std::string& folder,
                    const std::string& name) {
  if (run.is_strangers())
    throw UnfitFile(EPERM, "open " + folder, "a folder that others than root may write to");
  std::vector<std::string> changed;  // tmpfs: nothing to flush
  return ensure_folder(fs, folder + "/" + name, kOwnFolderMode, changed);
}

Directory ensure(FileSystem& fs, const std::string& path) {
  std::vector<std::string> changed;  // tmpfs: nothing to flush
  return ensure_folder(fs, path, kOwnFolderMode, changed);
}

std::string joined(const std::vector<std::string>& list) {
  std::string text;
  for (const auto& one : list) text += (text.empty() ? "" : ",") + one;
  return text;
}

std::string encode(const JournalEntry& entry) {
  std::vector<std::string> addresses;
  for (const auto& address : entry.addresses) addresses.push_back(address.to_string());
  return owner_text(entry.attachment) + "\n" + std::to_string(entry.tried) + "\n" +
         std::to_string(entry.tries) + "\n" + joined(addresses);
}

/// nullopt for an entry whose process was killed before it said anything: it had begun nothing.
std::optional<JournalEntry> decode_entry(const std::string& text) {
  auto lines = split(text, '\n');
  if (lines.size() < 2) return std::nullopt;
  lines.resize(5);
  JournalEntry entry;
  entry.attachment = parse_owner(lines[0] + "\n" + lines[1]);
  entry.tried = parse_number(lines[2]).value_or(0);
  entry.tries = static_cast<unsigned>(parse_number(lines[3]).value_or(0));
  for (const auto& part : split(lines[4], ',')) {
    if (const auto address = Address::parse(part)) entry.addresses.push_back(*address);
  }
  return entry;
}

/// A namespace whose path would break the line is left out: nothing is ever said about it then.
std::string encode(const Attachment& attachment, const KnownAnswer& known) {
  const bool has_stamp =
      known.given_to && known.given_to->netns_path.find('\n') == std::string::npos;
  return owner_text(attachment) + "\n" + (has_stamp ? encode(*known.given_to) + "\n" : "") +
         known.answer;
}

std::string version_mark(const ExecutableVersion& executable) {
  return std::to_string(executable.device) + ":" + std::to_string(executable.inode) + ":" +
         std::to_string(executable.modified_ns) + "~";
}

}  // namespace

DelegateJournal::DelegateJournal(FileSystem& fs, const std::string& folder)
    : fs_(fs),
      run_(fs, folder),
      journal_(ensure_in(fs, run_, folder, "journal")),
      attachments_(ensure_in(fs, run_, folder, "attachments")) {
  if (run_.is_open()) return;
  throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again),
                          "open " + folder);
}

DelegateJournal::Entry DelegateJournal::open(const Attachment& attachment,
                                             std::chrono::milliseconds patience) {
  Entry entry;
  entry.name_ = key_of(attachment);
  entry.attachment_ = attachment;
  for (int round = 0; round < kReopenLimit; ++round) {
    entry.lock_ = fs_.open_lock(journal_, entry.name_, kFileMode).value();
    if (fs_.lock(entry.lock_, patience) == LockResult::timed_out) {
      throw LockTimeout("another ADD of " + attachment.container_id + " " + attachment.ifname +
                        " is under way; try again");
    }
    const FileIdentity opened = fs_.identify(entry.lock_);
    if (opened.kind != FileKind::regular)
      throw UnfitFile(EINVAL, "open " + journal_.path + "/" + entry.name_, "no regular file");
    // Whoever held it may have closed the entry while we waited.
    const auto named = fs_.identify(journal_, entry.name_);
    if (!named || !named->same_file(opened)) continue;
    const auto content = fs_.read_file(journal_, entry.name_, kEntryLimit);
    entry.content_ = content ? decode_entry(content->bytes) : std::nullopt;
    return entry;
  }
  throw LockTimeout("the journal of " + attachment.container_id + " " + attachment.ifname +
                    " is in constant use; try again");
}

std::optional<DelegateJournal::Entry> DelegateJournal::open_left_over(
    const Attachment& attachment) {
  if (!fs_.identify(journal_, key_of(attachment))) return std::nullopt;
  try {
    Entry entry = open(attachment, std::chrono::milliseconds(0));
    if (entry.may_hold_lease()) return entry;
    // Its ADD ended while we looked: the entry is one that opening has made.
    close(entry);
  } catch (const LockTimeout&) {
    return std::nullopt;
  }
  return std::nullopt;
}

void DelegateJournal::begin(Entry& entry, const std::vector<Address>& addresses) {
  JournalEntry content{entry.attachment_, 0, 0, addresses};
  fs_.write_in_place(journal_, entry.name_, encode(content), kFileMode);
  // Not before: an ADD that could not say so does not begin, and has nothing to take back.
  entry.content_ = std::move(content);
}

void DelegateJournal::close(Entry& entry) {
  entry.content_.reset();
  fs_.unlink(journal_, entry.name_);
}

void DelegateJournal::clear(Entry& entry) {
  fs_.write_in_place(journal_, entry.name_, "", kFileMode);
  entry.content_.reset();
}

void DelegateJournal::keep_tried(Entry& entry, std::uint64_t tried) {
  if (!entry.content_) entry.content_ = JournalEntry{entry.attachment_, 0, 0, {}};
  entry.content_->tried = tried;
  ++entry.content_->tries;
  fs_.write_in_place(journal_, entry.name_, encode(*entry.content_), kFileMode);
}

std::vector<JournalEntry> DelegateJournal::entries() {
  std::vector<JournalEntry> entries;
  for (const auto& name : fs_.list(journal_)) {
    try {
      const auto content = fs_.read_file(journal_, name, kEntryLimit);
      auto entry = content ? decode_entry(content->bytes) : std::nullopt;
      if (entry) entries.push_back(std::move(*entry));
    } catch (const std::system_error&) {
      continue;  // somebody is writing it: it is his
    }
  }
  return entries;
}

std::optional<KnownAnswer> DelegateJournal::known(const Attachment& attachment) {
  const std::string name = key_of(attachment);
  const auto content = fs_.read_file(attachments_, name, kAnswerLimit);
  const std::string head = owner_text(attachment) + "\n";
  // An attachment that is taken for a new one would lose its lease when the plugin refuses it.
  const bool is_ours =
      content ? content->bytes.starts_with(head) : !fs_.identify(attachments_, name);
  if (!is_ours)
    throw UnfitFile(EINVAL, "read " + attachments_.path + "/" + name, "no answer of ours");
  if (!content) return std::nullopt;
  KnownAnswer known{content->bytes.substr(head.size()), std::nullopt};
  const auto line_end = known.answer.find('\n');
  if (line_end == std::string::npos) return known;
  known.given_to = decode_stamp(std::string_view(known.answer).substr(0, line_end));
  if (known.given_to) known.answer.erase(0, line_end + 1);
  // /run may be kept over a reboot; what was answered before ended with its boot.
  if (known.given_to && !run_.is_boot(known.given_to->boot_id)) return std::nullopt;
  return known;
}

void DelegateJournal::put_known(const Attachment& attachment, const KnownAnswer& known) {
  const std::string name = key_of(attachment);
  const std::string temporary = name + kNewSuffix;
  fs_.unlink(attachments_, temporary);
  try {
    fs_.write_in_place(attachments_, temporary, encode(attachment, known), kFileMode);
    fs_.rename(attachments_, temporary, name);
  } catch (...) {
    fs_.unlink(attachments_, temporary);
    throw;
  }
}

void DelegateJournal::require_room(const Attachment& attachment) {
  const std::string temporary = key_of(attachment) + kNewSuffix;
  fs_.write_in_place(attachments_, temporary, owner_text(attachment), kFileMode);
  fs_.unlink(attachments_, temporary);
}

void DelegateJournal::forget_known(const Attachment& attachment) {
  fs_.unlink(attachments_, key_of(attachment));
}

std::vector<std::string> DelegateJournal::known_names() {
  auto names = fs_.list(attachments_);
  std::erase_if(names, [](const std::string& name) { return !is_key(name); });
  return names;
}

void DelegateJournal::drop_known(const std::vector<std::string>& names,
                                 const std::vector<Attachment>& valid) {
  std::vector<std::string> kept;
  kept.reserve(valid.size());
  for (const auto& attachment : valid) kept.push_back(key_of(attachment));
  std::sort(kept.begin(), kept.end());
  for (const auto& name : names) {
    if (!std::binary_search(kept.begin(), kept.end(), name)) fs_.unlink(attachments_, name);
  }
}

void forget_answer(FileSystem& fs, const std::string& folder, const Attachment& attachment) {
  const auto answers = fs.open_directory(folder + "/attachments");
  if (answers) fs.unlink(*answers, key_of(attachment));
}

std::string delegate_folder(const std::string& run_dir, const std::string& network,
                            const std::string& plugin) {
  return run_dir + "/delegates/" + record_folder_name(network + "~" + plugin);
}

std::vector<std::string> known_versions(FileSystem& fs, const std::string& run_dir,
                                        const ExecutableVersion& executable) noexcept {
  std::vector<std::string> versions;
  try {
    const auto folder = fs.open_directory(run_dir + "/versions");
    const auto text = folder ? fs.read_link(*folder, sha256_hex(executable.path)) : std::nullopt;
    const std::string mark = version_mark(executable);
    if (text && text->starts_with(mark)) versions = split(text->substr(mark.size()), ',');
  } catch (const std::exception&) {
    versions.clear();
  }
  return versions;
}

void remember_versions(FileSystem& fs, const std::string& run_dir,
                       const ExecutableVersion& executable,
                       const std::vector<std::string>& versions) noexcept {
  try {
    const Directory folder = ensure(fs, run_dir + "/versions");
    const std::string name = sha256_hex(executable.path);
    fs.unlink(folder, name);
    fs.make_link(version_mark(executable) + joined(versions), folder, name);
  } catch (const std::exception&) {
    return;  // it will be asked again
  }
}

}  // namespace allocator::store
