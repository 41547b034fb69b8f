#include "allocator/store/runtime_folder.hpp"

#include <charconv>
#include <exception>

#include "allocator/store/folders.hpp"

namespace allocator::store {
namespace {

constexpr unsigned kFolderMode = 0700;
constexpr unsigned kFileMode = 0600;
constexpr const char* kBootName = "boot";
constexpr std::size_t kFileLimit = 128;

}  // namespace

RuntimeFolder::RuntimeFolder(FileSystem& fs, const std::string& runtime_dir,
                             const FileIdentity& network_folder) noexcept
    : fs_(fs) {
  try {
    const std::string path = runtime_dir + "/" + std::to_string(network_folder.device) + ":" +
                             std::to_string(network_folder.inode);
    std::vector<std::string> changed;  // tmpfs: nothing to flush
    folder_ = ensure_folder(fs, path, kFolderMode, changed);
    is_new_ = !changed.empty();
  } catch (const std::exception&) {
    folder_.reset();
  }
}

std::optional<std::string> RuntimeFolder::read(const std::string& name) noexcept {
  if (!folder_) return std::nullopt;
  try {
    const auto content = fs_.read_file(*folder_, name, kFileLimit);
    return content ? std::optional(content->bytes) : std::nullopt;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

void RuntimeFolder::write(const std::string& name, const std::string& text) noexcept {
  if (!folder_) return;
  try {
    fs_.write_in_place(*folder_, name, text, kFileMode);
  } catch (const std::exception&) {
    // A counter that could not be raised must not be believed later: forget it.
    try {
      fs_.unlink(*folder_, name);
    } catch (const std::exception&) {
      folder_.reset();
    }
  }
}

bool RuntimeFolder::is_marked(const std::string& boot_id) noexcept {
  if (!folder_ || is_new_) return false;
  try {
    return fs_.read_link(*folder_, kBootName) == boot_id;
  } catch (const std::exception&) {
    return false;
  }
}

void RuntimeFolder::mark_boot(const std::string& boot_id) noexcept {
  if (!folder_) return;
  try {
    is_new_ = false;
    if (fs_.make_link(boot_id, *folder_, kBootName) == Outcome::done) return;
    fs_.unlink(*folder_, kBootName);
    fs_.make_link(boot_id, *folder_, kBootName);
  } catch (const std::exception&) {
    // Without the mark the next ADD flushes the folders once more.
    return;
  }
}

void RuntimeFolder::unmark_boot() noexcept {
  if (!folder_ || is_new_) return;
  try {
    fs_.unlink(*folder_, kBootName);
  } catch (const std::exception&) {
    return;
  }
}

std::uint64_t RuntimeFolder::next_sequence(const std::function<std::uint64_t()>& highest) {
  std::uint64_t value = 0;
  const auto text = read("sequence").value_or("");
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool valid = !text.empty() && error == std::errc{} && end == text.data() + text.size();
  if (!valid) value = highest();
  write("sequence", std::to_string(++value));
  return value;
}

}  // namespace allocator::store
