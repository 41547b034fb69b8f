/// The stamps of a network folder's files: extended attributes, or records where the file system
/// takes none.
#include <system_error>

#include "allocator/store/disk/errors.hpp"
#include "allocator/store/state/network_dir.hpp"
#include "allocator/store/state/stamp_record.hpp"

namespace allocator::store {

/// Whatever the reason is (no attributes at all, none of this size, no room, no right): the stamp
/// is optional, the address is not.
Supported NetworkDir::set_stamp(const Fd& file, const std::string& stamp) {
  try {
    return fs_.set_attribute(file, kStampAttribute, stamp, folder_.path);
  } catch (const std::system_error& error) {
    if (is_own_want(error)) throw;
    return Supported::no;
  }
}

void NetworkDir::record_stamp(const Address& address, const FileIdentity& file,
                              const std::string& stamp) {
  if (records_ == nullptr) return;
  try {
    records_->put_stamp_record(address, encode_stamp_record(file, stamp));
  } catch (const std::system_error&) {
    if (text_in_record(address, file)) throw;
  } catch (const ClosedRecord&) {
    return;  // nor does anybody read it
  }
}

NetworkDir::Renewal NetworkDir::renew_stamp(const Fd& file, const Address& address,
                                            const std::string& stamp) {
  const auto before = fs_.get_attribute(file, kStampAttribute);
  if (before == stamp) return Renewal::had_it;
  if (before) {
    fs_.set_attribute(file, kStampAttribute, stamp, folder_.path);
    return Renewal::was_set;
  }
  if (set_stamp(file, stamp) == Supported::yes) return Renewal::was_set;
  record_stamp(address, fs_.identify(file), stamp);
  return Renewal::is_recorded;
}

std::optional<Stamp> NetworkDir::stamp_of(const std::string& name) {
  try {
    const auto file = fs_.open_file(folder_, name);
    if (!file) return std::nullopt;
    auto text = fs_.get_attribute(*file, kStampAttribute);
    if (!text) text = text_in_record(name, *file);
    return text ? decode_stamp(*text) : std::nullopt;
  } catch (const std::system_error& error) {
    if (is_own_want(error)) throw;
    // What the disk does not give proves nothing; a want of ours passes.
    return std::nullopt;
  }
}

std::optional<Stamp> NetworkDir::stamp_of(const AttachmentFile& file) {
  return file.stamp_text ? decode_stamp(*file.stamp_text) : stamp_of(file.name);
}

std::optional<Stamp> NetworkDir::recorded_stamp(const std::string& name) {
  const auto address = Address::parse(name);
  if (records_ == nullptr || !address || !records_->stamp_record(*address)) return std::nullopt;
  const auto file = fs_.identify(folder_, name);
  const auto text = file ? text_in_record(*address, *file) : std::nullopt;
  return text ? decode_stamp(*text) : std::nullopt;
}

std::optional<std::string> NetworkDir::text_in_record(const std::string& name, const Fd& file) {
  const auto address = Address::parse(name);
  if (records_ == nullptr || !address || !records_->stamp_record(*address)) return std::nullopt;
  return text_in_record(*address, fs_.identify(file));
}

std::optional<std::string> NetworkDir::text_in_record(const Address& address,
                                                      const FileIdentity& file) {
  const auto record = records_->stamp_record(address);
  return record ? stamp_in_record(*record, file) : std::nullopt;
}

}  // namespace allocator::store
