#include "allocator/store/state/network_dir.hpp"

#include <algorithm>
#include <system_error>

#include "allocator/store/disk/errors.hpp"
#include "allocator/store/disk/network_lock.hpp"

namespace allocator::store {
namespace {

constexpr unsigned kFileMode = 0600;
// host-local trims what it compares, so a file with an owner may be padded; nobody pads with a
// mebibyte.
constexpr std::size_t kOwnerLimit = std::size_t{1} << 20;
constexpr std::string_view kCursorPrefix = "last_reserved_ip.";
constexpr const char* kPrivateName = ".delegated-ipam.new";

/// The width in bytes of the white space at the start of `text`, as Go's strings.TrimSpace sees it;
/// 0 for none.
std::size_t leading_space(std::string_view text) {
  constexpr std::string_view ascii = "\t\n\v\f\r ";
  if (text.empty() || (text.front() > ' ' && text.front() <= '~')) return 0;
  if (ascii.find(text.front()) != std::string_view::npos) return 1;
  for (const std::string_view space :
       {"\u0085", "\u00a0", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005",
        "\u2006", "\u2007", "\u2008", "\u2009", "\u200a", "\u2028", "\u2029", "\u202f", "\u205f",
        "\u3000"}) {
    if (text.starts_with(space)) return space.size();
  }
  return 0;
}

std::string trimmed(std::string_view text) {
  while (const std::size_t width = leading_space(text)) text.remove_prefix(width);
  for (bool again = true; again && !text.empty();) {
    again = false;
    for (std::size_t width = 1; width <= std::min<std::size_t>(3, text.size()); ++width) {
      if (leading_space(text.substr(text.size() - width)) != width) continue;
      text.remove_suffix(width);
      again = true;
      break;
    }
  }
  return std::string(text);
}

/// By name, and whether each is known to be a regular file.
std::vector<std::pair<std::string, bool>> list_entries(FileSystem& fs, const Directory& folder) {
  std::vector<std::pair<std::string, bool>> entries;
  std::vector<std::pair<std::string, bool>*> order;  // quicker to move about
  fs.visit(folder, [&](const DirectoryEntry& entry) {
    entries.emplace_back(entry.name, entry.is_regular);
  });
  order.reserve(entries.size());
  for (auto& entry : entries) order.push_back(&entry);
  std::sort(order.begin(), order.end(),
            [](const auto* one, const auto* other) { return one->first < other->first; });
  std::vector<std::pair<std::string, bool>> sorted;
  sorted.reserve(entries.size());
  for (auto* entry : order) sorted.push_back(std::move(*entry));
  return sorted;
}

void set_owner(AttachmentFile& file, std::string_view content) {
  if (content.size() >= kOwnerLimit) return;
  file.owner = trimmed(content);
  file.is_padded = file.owner.size() != content.size();
}

AttachmentFile file_of_text(const std::string& name, EntryText text) {
  AttachmentFile file{name, address_of_name(name), {}, text.error == 0};
  if (text.bytes) set_owner(file, *text.bytes);
  if (file.address) file.stamp_text = std::move(text.attribute);
  return file;
}

bool is_bookkeeping(const std::string& name) {
  return name == "lock" || name == kPrivateName || name.starts_with(kCursorPrefix);
}

}  // namespace

std::optional<Address> address_of_name(std::string_view name) {
  const auto address = Address::parse(name);
  if (!address || address->to_string() != name) return std::nullopt;
  return address;
}

std::string nested_name(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

OwnerMatch match_owner(const AttachmentFile& file, const Attachment& attachment) {
  if (file.owner.empty()) return OwnerMatch::none;
  if (file.owner == owner_text(attachment)) return OwnerMatch::container_and_ifname;
  return file.owner == attachment.container_id ? OwnerMatch::container_only : OwnerMatch::none;
}

bool names_attachment(const AttachmentFile& file) {
  return !file.is_padded && looks_like_attachment(parse_owner(file.owner));
}

std::string owner_text(const Attachment& attachment) {
  return attachment.container_id + "\r\n" + attachment.ifname;
}

Attachment parse_owner(std::string_view owner) {
  const auto end = owner.find("\r\n");
  if (end == std::string_view::npos) return {std::string(owner), {}};
  return {std::string(owner.substr(0, end)), std::string(owner.substr(end + 2))};
}

bool still_has(FileSystem& fs, const std::string& path, const Attachment& attachment,
               const std::vector<Address>& addresses) {
  const auto folder = fs.open_directory(path);
  if (!folder) return false;
  const std::string owner = owner_text(attachment);
  return std::all_of(addresses.begin(), addresses.end(), [&](const Address& address) {
    const auto content = fs.read_file(*folder, address.to_string(), owner.size() + 1);
    return content && content->bytes == owner;
  });
}

void NetworkDir::read_all() {
  list_all();
  read_listed();
}

void NetworkDir::begin_reading_with_stamps() {
  forget();
  try {
    list_all();
  } catch (const std::system_error& error) {
    if (is_own_want(error)) throw;
    return;
  }
  reader_ = fs_.begin_reading(listed_.size(), [this](std::size_t number) {
    const auto& [name, is_regular] = listed_[number];
    return is_regular ? fs_.look_up_regular(folder_, name, kOwnerLimit, kStampAttribute)
                      : EntryText();
  });
}

/// Also looks at all that is no attachment's file.
void NetworkDir::list_all() {
  is_changing_ = false;
  added_.clear();
  removed_.clear();
  is_current_ = true;
  auto entries = list_entries(fs_, folder_);
  // Only now it is known that an index pays; what it is made from is read behind the times.
  if (has_run() && !here_ && is_worth_it(entries.size())) {
    here_ = times();
    entries = list_entries(fs_, folder_);
  }
  const std::string own_name = nested_name(folder_.path);
  for (const auto& [name, is_regular] : entries) {
    if (name == own_name) scan_nested(name);
    if (name.starts_with(kCursorPrefix)) cursors_.push_back(name);
  }
  std::erase_if(entries, [](const auto& entry) { return is_bookkeeping(entry.first); });
  listed_ = std::move(entries);
}

void NetworkDir::read_listed() {
  has_files_ = true;
  files_.reserve(listed_.size());
  auto texts = reader_ ? reader_->finish() : std::vector<EntryText>();
  for (std::size_t number = 0; number < listed_.size(); ++number) {
    const auto& [name, is_regular] = listed_[number];
    if (reader_ && is_regular) {
      add_file(file_of_text(name, std::move(texts[number])));
    } else {
      add_file(read_entry(name, is_regular ? Kind::regular : Kind::unknown));
    }
  }
  reader_.reset();
  listed_.clear();
}

void NetworkDir::add_file(AttachmentFile file) {
  if (file.address) by_address_.emplace(*file.address, files_.size());
  files_.push_back(std::move(file));
}

std::optional<std::string> NetworkDir::read_owner(const std::string& name, Kind kind) {
  if (kind == Kind::regular) return fs_.read_regular_entry(folder_, name, kOwnerLimit);
  auto content = fs_.read_file(folder_, name, kOwnerLimit);
  return content ? std::optional(std::move(content->bytes)) : std::nullopt;
}

AttachmentFile NetworkDir::read_entry(const std::string& name, Kind kind) {
  AttachmentFile file{name, address_of_name(name), {}, true};
  try {
    const auto content = read_owner(name, kind);
    if (content) set_owner(file, *content);
  } catch (const std::system_error& error) {
    if (is_own_want(error)) throw;
    file.readable = false;
  }
  return file;
}

void NetworkDir::scan_nested(const std::string& name) {
  try {
    list_nested(name);
  } catch (const std::system_error& error) {
    if (is_own_want(error)) throw;
    nested_trouble_ = error.what();
  }
}

void NetworkDir::list_nested(const std::string& name) {
  const auto identity = fs_.identify(folder_, name);
  if (!identity || identity->kind != FileKind::directory) return;
  const auto nested = fs_.open_directory(folder_.path + "/" + name);
  if (!nested) return;
  for (const auto& file : fs_.list(*nested)) {
    if (const auto address = address_of_name(file)) nested_.insert(*address);
  }
}

/// None where the index tells of the folder: it does of no folder with such a file, and a file that
/// has become one since is found out when it is looked up.
std::vector<AttachmentFile> NetworkDir::unreadable() const {
  std::vector<AttachmentFile> found;
  std::copy_if(files_.begin(), files_.end(), std::back_inserter(found),
               [](const AttachmentFile& file) { return !file.readable; });
  return found;
}

void NetworkDir::refuse_unreadable_of(const Attachment& attachment, const std::string& what) {
  const std::string hash = container_hash(attachment.container_id);
  for (const auto& file : unreadable()) {
    if (!file.address) continue;
    const auto stamp = stamp_of(file.name);
    if (!stamp || stamp->container_hash != hash) continue;
    throw TryAgain(what + " " + attachment.container_id + " " + attachment.ifname + ": its file " +
                   folder_.path + "/" + file.name +
                   " cannot be read; repair the disk or remove the file");
  }
}

bool NetworkDir::may_have_unreadable(const Attachment& attachment) {
  const auto files = unreadable();
  return std::any_of(files.begin(), files.end(), [&](const AttachmentFile& file) {
    const auto stamp = file.address ? stamp_of(file.name) : std::nullopt;
    return file.address &&
           (!stamp || stamp->container_hash == container_hash(attachment.container_id));
  });
}

void NetworkDir::refuse_unreadable_nested(const std::string& what) const {
  if (nested_trouble_.empty()) return;
  throw TryAgain(what + ": which addresses are in use in the nested folder cannot be told: " +
                 nested_trouble_ + "; repair the disk or remove the folder");
}

std::optional<FileContent> NetworkDir::read(const std::string& name) {
  return fs_.read_file(folder_, name, kOwnerLimit);
}

std::vector<AttachmentFile> NetworkDir::find(const Attachment& attachment) {
  std::vector<AttachmentFile> exact;
  std::vector<AttachmentFile> by_container;
  for (auto& file : find_container(attachment.container_id)) {
    switch (match_owner(file, attachment)) {
      case OwnerMatch::container_and_ifname:
        exact.push_back(std::move(file));
        break;
      case OwnerMatch::container_only:
        by_container.push_back(std::move(file));
        break;
      case OwnerMatch::none:
        break;
    }
  }
  return exact.empty() ? by_container : exact;
}

std::vector<Address> NetworkDir::claimed_by(const Attachment& attachment) {
  std::vector<Address> addresses;
  for (const auto& file : find_container(attachment.container_id)) {
    const auto address = Address::parse(file.name);
    if (address && match_owner(file, attachment) != OwnerMatch::none) addresses.push_back(*address);
  }
  return addresses;
}

std::optional<std::string> NetworkDir::holder(const Address& address) {
  const AttachmentFile* file = file_of(address);
  if (file == nullptr) {
    if (held_back_.count(address) != 0) return "somebody whose file cannot be restored";
    if (nested_.count(address) == 0) return std::nullopt;
    return "somebody in the nested folder of the network";
  }
  const Attachment owner = parse_owner(file->owner);
  if (owner.container_id.empty()) return "an unknown owner";
  return owner.ifname.empty() ? owner.container_id : owner.container_id + " " + owner.ifname;
}

std::optional<Address> NetworkDir::cursor(std::size_t set) {
  const std::string name = std::string(kCursorPrefix) + std::to_string(set);
  const bool is_missing =
      has_files_ && std::find(cursors_.begin(), cursors_.end(), name) == cursors_.end();
  if (is_missing) return std::nullopt;
  // No trimming: host-local does not trim here either, and both must walk alike.
  if (const auto* open = open_cursor(name)) return Address::parse(open->bytes);
  try {
    const auto content = fs_.read_file(folder_, name, kOwnerLimit);
    return content ? Address::parse(content->bytes) : std::nullopt;
  } catch (const std::system_error&) {
    return std::nullopt;
  }
}

/// To be read and then written; nullptr when that does not go, for whatever reason.
OpenText* NetworkDir::open_cursor(const std::string& name) {
  const auto [known, is_first] = open_cursors_.try_emplace(name);
  try {
    if (is_first) known->second = fs_.open_text(folder_, name, kOwnerLimit);
  } catch (const std::system_error&) {
    return nullptr;
  }
  return known->second ? &*known->second : nullptr;
}

void NetworkDir::write_cursor(std::size_t set, const Address& address) {
  const std::string name = std::string(kCursorPrefix) + std::to_string(set);
  const auto write = [&] { fs_.write_in_place(folder_, name, address.to_string(), kFileMode); };
  const auto open = open_cursors_.find(name);
  try {
    if (open != open_cursors_.end() && open->second) {
      fs_.overwrite(*open->second, address.to_string(), folder_.path + "/" + name);
      return;
    }
    try {
      write();
    } catch (const UnfitFile&) {
      fs_.unlink(folder_, name);  // a backup's second name, or a trap
      write();
    }
  } catch (const std::system_error&) {
    return;
  }
}

FileSystem::NewFile NetworkDir::create(const Attachment& attachment) {
  auto file = fs_.create_file(folder_, kPrivateName, kFileMode);
  // A name of its own has changed the folder, and what others did before cannot be told from that.
  if (!file.unnamed) {
    is_current_ = false;
    is_sealable_ = false;
  }
  try {
    fs_.write_all(file.fd, owner_text(attachment), folder_.path);
  } catch (...) {
    if (!file.unnamed) discard_private_name();
    throw;
  }
  return file;
}

void NetworkDir::discard_private_name() { fs_.unlink(folder_, kPrivateName); }

std::optional<FileIdentity> NetworkDir::identify(const Address& address) {
  return fs_.identify(folder_, address.to_string());
}

bool NetworkDir::is_file(const Address& address, const FileIdentity& identity,
                         const std::string& content) {
  const auto now = read(address.to_string());
  return now && now->identity.same_file(identity) && now->bytes == content;
}

}  // namespace allocator::store
