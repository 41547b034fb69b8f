/// The lists among the records: the boots of a network, and the ranges that a source gave last.
#include <algorithm>
#include <charconv>

#include "allocator/fields.hpp"
#include "allocator/store/disk/sha256.hpp"
#include "allocator/store/state/record_folder.hpp"

namespace allocator::store {
namespace {

constexpr const char* kBootsName = "boots";
constexpr const char* kRangesName = "node-ranges";
constexpr const char* kAnonymousRangesName = "ranges";
constexpr std::size_t kBootLimit = 16;
// What the target of a symbolic link may hold on every file system: xfs takes 1 024 bytes.
constexpr std::size_t kTargetLimit = 900;
constexpr std::size_t kHashLength = 16;
constexpr std::size_t kPartLimit = 100'000;
constexpr char kPartsMark = '*';

std::string joined(const std::vector<std::string>& list) {
  std::string text;
  for (const auto& field : list) text += (text.empty() ? "" : ",") + field;
  return text;
}

std::string part_name(const std::string& hash, std::size_t number) {
  return std::string(kRangesName) + "." + hash + "." + std::to_string(number);
}

/// What stands for a list in several parts: "*<hash of the whole>.<how many>".
struct Parts {
  std::string hash;
  std::size_t count = 0;
};

/// nullopt for a list that is written out.
std::optional<Parts> parts_of(const std::string& list) {
  if (list.size() < kHashLength + 3 || list.front() != kPartsMark) return std::nullopt;
  Parts parts{list.substr(1, kHashLength), 0};
  const char* const last = list.data() + list.size();
  const auto number = std::from_chars(list.data() + kHashLength + 2, last, parts.count);
  if (number.ec != std::errc{} || number.ptr != last || parts.count > kPartLimit)
    return std::nullopt;
  return parts;
}

/// What stands behind the last "~" of a record.
std::string last_field(const std::string& record) {
  return record.substr(record.find_last_of('~') + 1);
}

std::string hash_of(const std::vector<std::string>& cidrs) {
  return sha256_hex(joined(cidrs)).substr(0, kHashLength);
}

}  // namespace

std::vector<std::string> RecordFolder::read_list(const std::string& name) {
  const auto record = read(name);
  if (!record || !record->starts_with("1~")) return {};
  return split(record->substr(2), ',');
}

void RecordFolder::put_list(const std::string& name, const std::vector<std::string>& list) {
  change(name, "1~" + joined(list));
}

std::vector<std::string> RecordFolder::boots() {
  try {
    return read_list(kBootsName);
  } catch (const ClosedRecord&) {
    return {};
  }
}

bool RecordFolder::append_boot(const std::string& boot8) {
  auto list = boots();
  if (!list.empty() && list.back() == boot8) return false;
  std::erase(list, boot8);
  list.push_back(boot8);
  if (list.size() > kBootLimit) list.erase(list.begin());
  put_list(kBootsName, list);
  // Which node they were remembered on, only their own boot told.
  if (read(kAnonymousRangesName)) remove_record(kAnonymousRangesName);
  return true;
}

std::optional<RememberedRanges> RecordFolder::last_ranges() {
  const auto record = read(kRangesName);
  const auto fields = record ? split(*record, '~') : std::vector<std::string>();
  constexpr std::size_t width = 4;  // "1~<node>~<source>~<CIDR>,<CIDR>..."
  if (fields.size() == width) {
    const auto node = unescape(fields[1]);
    const auto source = unescape(fields[2]);
    auto cidrs = read_parts(fields[3]);
    if (node && source && !cidrs.empty()) return RememberedRanges{*node, *source, std::move(cidrs)};
  }
  auto anonymous = read_list(kAnonymousRangesName);
  if (anonymous.empty()) return std::nullopt;
  return RememberedRanges{{}, {}, std::move(anonymous), true};
}

void RecordFolder::put_last_ranges(const RememberedRanges& ranges) {
  const auto before = read(kRangesName);
  const std::string old_list = before ? last_field(*before) : std::string();
  const std::string place = "1~" + escape(ranges.node) + "~" + escape(ranges.source) + "~";
  std::string list = joined(ranges.cidrs);
  if (place.size() + list.size() > kTargetLimit) list = put_parts(ranges.cidrs, old_list);
  if (before == place + list) return;
  change(kRangesName, place + list);
  // What names no node must not be believed by an earlier version either.
  remove_record(kAnonymousRangesName);
  if (old_list != list) remove_parts(old_list);
}

/// Parts of a list that is gone, damaged or torn are no list at all.
std::vector<std::string> RecordFolder::read_parts(const std::string& list) {
  const auto parts = parts_of(list);
  if (!parts) return split(list, ',');
  std::vector<std::string> cidrs;
  for (std::size_t number = 0; number < parts->count; ++number) {
    for (auto& cidr : read_list(part_name(parts->hash, number))) cidrs.push_back(std::move(cidr));
  }
  return hash_of(cidrs) == parts->hash ? cidrs : std::vector<std::string>();
}

/// Writes the parts and returns what stands for the list; `before` stands for the one that is
/// there.
std::string RecordFolder::put_parts(const std::vector<std::string>& cidrs,
                                    const std::string& before) {
  const std::string hash = hash_of(cidrs);
  const bool is_known = before.starts_with(kPartsMark + hash + ".");
  std::size_t count = 0;
  std::vector<std::string> part;
  std::size_t length = 0;
  const auto put = [&] {
    if (!is_known) put_list(part_name(hash, count), part);
    ++count;
    part.clear();
    length = 0;
  };
  for (const auto& cidr : cidrs) {
    if (length + cidr.size() + 1 > kTargetLimit) put();
    part.push_back(cidr);
    length += cidr.size() + 1;
  }
  put();
  return kPartsMark + hash + "." + std::to_string(count);
}

void RecordFolder::remove_parts(const std::string& list) {
  const auto parts = parts_of(list);
  for (std::size_t number = 0; parts && number < parts->count; ++number)
    remove_record(part_name(parts->hash, number));
}

}  // namespace allocator::store
