#include "allocator/store/state/stamp_record.hpp"

namespace allocator::store {
namespace {

std::string prefix_of(const FileIdentity& file) {
  return "1~" + std::to_string(file.inode) + "." + std::to_string(file.born_ns) + "~";
}

}  // namespace

std::string encode_stamp_record(const FileIdentity& file, std::string_view stamp) {
  return prefix_of(file).append(stamp);
}

std::optional<std::string> stamp_in_record(std::string_view record, const FileIdentity& file) {
  const std::string prefix = prefix_of(file);
  if (!record.starts_with(prefix)) return std::nullopt;
  return std::string(record.substr(prefix.size()));
}

}  // namespace allocator::store
