#include "allocator/store/disk/sha256.hpp"
#include "allocator/store/state/network_dir.hpp"
#include "allocator/store/state/run_folder.hpp"

namespace allocator::store {
namespace {

constexpr const char* kUnbound = "unbound/";
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
