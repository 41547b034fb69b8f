#pragma once
/// Many entries of a folder that are read while the caller does something else.
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace allocator::store {

/// What one of them has given.
struct EntryText {
  std::optional<std::string> bytes;  ///< nullopt: missing, or not of the kind that was asked for
  std::optional<std::string> attribute;  ///< nullopt: none, or one that the disk does not give
  int error = 0;                         ///< why the disk does not give the bytes
};

class EntryReader {
 public:
  /// Tells of the entry of a number. It must only read: it may be called in another process.
  using Read = std::function<EntryText(std::size_t)>;

  virtual ~EntryReader() = default;
  /// What was read of each number, in order. To be called once.
  /// Errors: as the function that reads.
  [[nodiscard]] virtual std::vector<EntryText> finish() = 0;
};

/// Reads one after the other, when asked for them.
class PlainEntryReader final : public EntryReader {
 public:
  PlainEntryReader(std::size_t count, Read read) : count_(count), read_(std::move(read)) {}

  std::vector<EntryText> finish() override {
    std::vector<EntryText> entries;
    entries.reserve(count_);
    while (entries.size() < count_) entries.push_back(read_(entries.size()));
    return entries;
  }

 private:
  std::size_t count_;
  Read read_;
};

}  // namespace allocator::store
