#include "allocator/store/state/set_aside.hpp"

#include <algorithm>
#include <exception>
#include <optional>
#include <utility>

#include "allocator/fields.hpp"
#include "allocator/store/disk/folders.hpp"
#include "allocator/store/state/call_start.hpp"

namespace allocator::store {
namespace {

constexpr const char* kFolder = "aside";
constexpr std::uint64_t kPatience = 900'000'000'000;  // 15 minutes

}  // namespace

SetAsides::SetAsides(RunFolder& run, std::string generation)
    : run_(run), generation_(std::move(generation)) {
  if (!run_.mark().has_set_aside) return;
  now_ = boottime_now();
  for (const auto& [name, text] : run_.set_aside()) {
    const auto address = Address::parse(name);
    const auto fields = split(text, '~');
    // /run may survive a reboot.
    if (!address || fields.size() != 4 || fields[3] != boot8()) continue;
    const auto since = parse_number(fields[0]);
    const auto container_id = unescape(fields[1]);
    const auto ifname = unescape(fields[2]);
    if (since && container_id && ifname)
      marks_.push_back({*address, {*container_id, *ifname}, *since});
  }
}

bool SetAsides::is_active(const Mark& mark) const {
  return mark.since != 0 && now_ < mark.since + kPatience;
}

bool SetAsides::is_refused(const Address& address) const {
  return std::any_of(marks_.begin(), marks_.end(),
                     [&](const Mark& mark) { return mark.address == address && is_active(mark); });
}

bool SetAsides::is_due_back(const Address& address) const {
  return std::any_of(marks_.begin(), marks_.end(),
                     [&](const Mark& mark) { return mark.address == address && !is_active(mark); });
}

std::vector<Address> SetAsides::refused() const {
  std::vector<Address> addresses;
  for (const auto& mark : marks_) {
    if (is_active(mark)) addresses.push_back(mark.address);
  }
  return addresses;
}

void SetAsides::put(const std::vector<TakenOver>& taken, std::vector<std::string>& notes) {
  for (const auto& one : taken) {
    if (run_.tombstone(one.old)) continue;
    now_ = boottime_now();
    std::erase_if(marks_, [&](const Mark& mark) { return mark.address == one.address; });
    marks_.push_back({one.address, one.old, now_});
    write(marks_.back());
    notes.push_back(one.address.to_string() + ", taken over from " + one.old.container_id +
                    ", is left aside until the DEL of that one, at most 15 minutes: the main "
                    "plugin has taken it back");
  }
}

void SetAsides::end(const Attachment& old) {
  for (auto& mark : marks_) {
    if (mark.old != old || mark.since == 0) continue;
    mark.since = 0;
    write(mark);
  }
}

std::vector<TakenOver> SetAsides::take(const Address& address) {
  std::vector<TakenOver> unended;
  for (const auto& mark : marks_) {
    if (mark.address != address) continue;
    if (mark.since != 0) unended.push_back({address, mark.old});
    run_.remove_set_aside(address.to_string());
  }
  std::erase_if(marks_, [&](const Mark& mark) { return mark.address == address; });
  return unended;
}

void SetAsides::write(const Mark& mark) {
  run_.put_set_aside(mark.address.to_string(), std::to_string(mark.since) + "~" +
                                                   escape(mark.old.container_id) + "~" +
                                                   escape(mark.old.ifname) + "~" + boot8());
}

std::vector<std::pair<std::string, std::string>> RunFolder::set_aside() noexcept {
  std::vector<std::pair<std::string, std::string>> found;
  if (!folder_) return found;
  try {
    const auto folder = fs_.open_directory(folder_->path + "/" + kFolder);
    if (!folder) return found;
    for (const auto& name : fs_.list(*folder)) {
      if (auto text = fs_.read_link(*folder, name)) found.emplace_back(name, std::move(*text));
    }
  } catch (const std::exception&) {
    return found;
  }
  return found;
}

void RunFolder::put_set_aside(const std::string& name, const std::string& text) noexcept {
  if (!folder_) return;
  try {
    fs_.make_directory(folder_->path + "/" + kFolder, kOwnFolderMode);
  } catch (const std::exception&) {
    return;
  }
  if (generation_.empty()) {
    remove(kMark);
  } else {
    note(&BootMark::has_set_aside);
  }
  static_cast<void>(put_link(std::string(kFolder) + "/" + name, text));
}

void RunFolder::remove_set_aside(const std::string& name) noexcept {
  remove(std::string(kFolder) + "/" + name);
}

}  // namespace allocator::store
