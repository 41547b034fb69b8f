#include "allocator/store/disk/file_system.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <system_error>
#include <utility>

#include "allocator/store/disk/errors.hpp"

namespace allocator::store {

Fd& Fd::operator=(Fd&& other) noexcept {
  std::swap(number_, other.number_);
  std::swap(closing_, other.closing_);
  return *this;
}

Fd::~Fd() {
  if (number_ >= 0 && closing_ == Closing::by_destructor) ::close(number_);
}

std::vector<std::string> FileSystem::list(const Directory& directory) {
  std::vector<std::string> names;
  visit(directory, [&](const DirectoryEntry& entry) { names.emplace_back(entry.name); });
  return names;
}

std::optional<FileSystem::OpenEntry> FileSystem::open_regular_entry(const Directory& directory,
                                                                    const std::string& name,
                                                                    std::size_t limit) {
  auto bytes = read_regular_entry(directory, name, limit);
  auto fd = bytes ? open_file(directory, name) : std::nullopt;
  if (!fd) return std::nullopt;
  return OpenEntry{std::move(*bytes), std::move(*fd)};
}

EntryText FileSystem::look_up_regular(const Directory& directory, const std::string& name,
                                      std::size_t limit, const std::string& attribute) {
  EntryText text;
  try {
    auto entry = open_regular_entry(directory, name, limit);
    if (!entry) return text;
    text.bytes = std::move(entry->bytes);
    text.attribute = get_attribute(entry->fd, attribute);
  } catch (const std::system_error& error) {
    if (is_own_want(error)) throw;
    if (!text.bytes) text.error = error.code().value();
  }
  return text;
}

EntryText FileSystem::look_up_link(const Directory& directory, const std::string& name) {
  EntryText text;
  try {
    text.bytes = read_link(directory, name);
  } catch (const std::system_error& error) {
    if (is_own_want(error)) throw;
    text.error = error.code().value();
  }
  return text;
}

std::unique_ptr<EntryReader> FileSystem::begin_reading(std::size_t count, EntryReader::Read read) {
  return std::make_unique<PlainEntryReader>(count, std::move(read));
}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  std::swap(size_, other.size_);
  return *this;
}

Mapping::~Mapping() {
  if (bytes_ != nullptr) ::munmap(bytes_, size_);
}

}  // namespace allocator::store
