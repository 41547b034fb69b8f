// Stamps in an address file's attribute, or in a record of one: what is read is written as the same
// bytes, and a stamp counts for its own file only.
#include <algorithm>

#include "allocator/store/state/stamp.hpp"
#include "allocator/store/state/stamp_record.hpp"
#include "test/fuzz/target.hpp"

namespace {

using namespace allocator::store;  // NOLINT(google-build-using-namespace)
using fuzz::require;

/// Read, although encode() writes something else: numbers with a 0 in front, a dot behind the last
/// one, a container's numbers without the mark of its /run.
bool is_other_spelling(std::string_view text, const Stamp& stamp) {
  const auto end = text.size() - stamp.netns_path.size() - 1;
  const auto start = text.rfind('~', end - 1) + 1;
  const std::string_view numbers = text.substr(start, end - start);
  return fuzz::has_padded_number(numbers) || numbers.ends_with('.') ||
         (stamp.run.empty() && std::count(numbers.begin(), numbers.end(), '.') > 2);
}

void run(std::string_view text) {
  const FileIdentity file{1, 42, FileKind::regular, 10, 1, 7, 1};
  FileIdentity later = file;
  ++later.born_ns;
  const std::string record = encode_stamp_record(file, text);
  require(stamp_in_record(record, file) == text, "a recorded stamp reads as another");
  require(!stamp_in_record(record, later), "a stamp of an earlier file counts");
  if (const auto kept = stamp_in_record(text, file))
    require(encode_stamp_record(file, *kept) == text, "a record is written as another");

  const auto stamp = decode_stamp(text);
  if (!stamp) return;
  const std::string written = encode(*stamp);
  const auto again = decode_stamp(written);
  require(again.has_value(), "what is written is not read: " + written);
  if (is_other_spelling(text, *stamp)) return;
  require(written == text || text.starts_with("1~"), "a stamp is written as another: " + written);
  Stamp expected = *stamp;
  expected.has_doubtful_boot = false;  // a mark of format 1, which is never written
  require(*again == expected, "a stamp reads as another: " + written);
  require(is_of_same_run(*stamp, *again), "a stamp of another boot: " + written);
}

const fuzz::Registration kTarget("stamp", &run);

}  // namespace
