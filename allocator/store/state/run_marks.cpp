#include <exception>

#include "allocator/store/disk/sha256.hpp"
#include "allocator/store/state/network_dir.hpp"
#include "allocator/store/state/run_folder.hpp"

namespace allocator::store {
namespace {

constexpr unsigned kFolderMode = 0700;
constexpr const char* kUnbound = "unbound/";
constexpr const char* kUnflushed = "unflushed.";  // no folder of its own: that would cost a mkdir

std::string key_of(const Attachment& attachment) { return sha256_hex(owner_text(attachment)); }

}  // namespace

void RunFolder::put_unbound(const Address& address) noexcept {
  if (!folder_) return;
  const std::string name = std::string(kUnbound) + address.to_string();
  for (const bool has_folder : {false, true}) {
    try {
      if (has_folder) fs_.make_directory(folder_->path + "/" + kUnbound, kFolderMode);
      static_cast<void>(fs_.make_link("1", *folder_, name));
      return;
    } catch (const std::exception&) {
      continue;  // the first time the folder is missing
    }
  }
}

bool RunFolder::is_unbound(const Address& address) noexcept {
  return read_link(std::string(kUnbound) + address.to_string()).has_value();
}

void RunFolder::remove_unbound(const Address& address) noexcept {
  remove(std::string(kUnbound) + address.to_string());
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
