#include <algorithm>

#include "allocator/store/disk/sha256.hpp"
#include "allocator/store/state/network_dir.hpp"
#include "allocator/store/state/run_folder.hpp"

namespace allocator::store {
namespace {

constexpr const char* kUnbound = "unbound/";
constexpr const char* kEvicted = "evicted/";
constexpr std::string_view kRanOn = "~ran-on~";
constexpr std::string_view kHeld = "~held~";
constexpr const char* kUnflushed = "unflushed.";  // no folder of its own: that would cost a mkdir

std::string key_of(const Attachment& attachment) { return sha256_hex(owner_text(attachment)); }

}  // namespace

void RunFolder::put_unbound(const Address& address) noexcept {
  note(&BootMark::has_unbound);
  const std::string name = std::string(kUnbound) + address.to_string();
  const auto make = [&] { fs_.make_link("1", *folder_, name); };
  // The first time the folder is missing.
  if (!attempt(make) && make_directory(kUnbound)) static_cast<void>(attempt(make));
}

void RunFolder::put_evicted(const Address& address, const Binding& binding) noexcept {
  if (binding.boot8.empty() || binding.boot8 == boot8_of(boot_id_)) return;
  // To be told now: the counter may begin below the number of a binding that is gone.
  const auto before = sequence_before_boot();
  const bool ran_on = binding.sequence == 0 || (before && binding.sequence > *before);
  const std::string name = kEvicted + address.to_string();
  const std::string target = boot_id_ + std::string(ran_on ? kRanOn : kHeld) + encode(binding);
  if (!put_link(name, target) && make_directory(kEvicted))
    static_cast<void>(put_link(name, target));
}

void RunFolder::remove_evicted(const Address& address, const Binding& binding) noexcept {
  const std::string name = kEvicted + address.to_string();
  if (read_link(name).value_or("").ends_with("~" + encode(binding))) remove(name);
}

std::vector<Evicted> RunFolder::evicted() noexcept {
  std::vector<Evicted> ended;
  const auto add = [&](const Address& address, std::string_view text) {
    const bool ran_on = text.starts_with(kRanOn);
    if (!ran_on && !text.starts_with(kHeld)) return;
    const auto binding = decode_binding(text.substr(ran_on ? kRanOn.size() : kHeld.size()));
    if (binding) ended.push_back({address, *binding, ran_on});
  };
  static_cast<void>(attempt([&] {
    const auto folder = fs_.open_directory(folder_->path + "/" + kEvicted);
    if (!folder) return;
    for (const auto& name : fs_.list(*folder)) {
      const auto address = Address::parse(name);
      const std::string target = read_link(kEvicted + name).value_or("");
      if (address && target.starts_with(boot_id_))
        add(*address, std::string_view(target).substr(boot_id_.size()));
    }
  }));
  std::sort(ended.begin(), ended.end(),
            [](const Evicted& left, const Evicted& right) { return left.address < right.address; });
  return ended;
}

bool RunFolder::is_unbound(const Address& address) noexcept {
  return mark_.has_unbound && read_link(std::string(kUnbound) + address.to_string()).has_value();
}

void RunFolder::remove_unbound(const Address& address) noexcept {
  if (mark_.has_unbound) remove(std::string(kUnbound) + address.to_string());
}

bool RunFolder::put_unflushed(const Attachment& attachment) noexcept {
  return put_link(kUnflushed + key_of(attachment), "1");
}

bool RunFolder::is_unflushed(const Attachment& attachment) noexcept {
  return !folder_ || read_link(kUnflushed + key_of(attachment)).has_value();
}

void RunFolder::remove_unflushed(const Attachment& attachment) noexcept {
  remove(kUnflushed + key_of(attachment));
}

}  // namespace allocator::store
