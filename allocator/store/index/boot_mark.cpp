#include "allocator/store/index/boot_mark.hpp"

#include <array>

namespace allocator::store {
namespace {

struct Word {
  std::string_view text;
  bool BootMark::*flag;
};

constexpr std::array<Word, 9> kWords = {{{"own", &BootMark::has_kernels_boot},
                                         {"flushed", &BootMark::is_flushed},
                                         {"unpinned", &BootMark::is_unpinned},
                                         {"aside", &BootMark::has_set_aside},
                                         {"used", &BootMark::has_used},
                                         {"repeats", &BootMark::has_repeats},
                                         {"unbound", &BootMark::has_unbound},
                                         {"pending", &BootMark::has_pending},
                                         {"index", &BootMark::has_index}}};

constexpr std::string_view kScanned = "scanned";
constexpr std::string_view kLive = "live";

bool set_word(BootMark& mark, std::string_view text) {
  if (text == kScanned || text == kLive) {
    mark.scan = text == kLive ? BootScanState::live_restored : BootScanState::files_scanned;
    return true;
  }
  for (const auto& word : kWords) {
    if (word.text != text) continue;
    mark.*word.flag = true;
    return true;
  }
  return false;
}

}  // namespace

BootMark BootMark::of_new_folder() {
  BootMark mark;
  for (const auto& word : kWords) mark.*word.flag = false;
  return mark;
}

std::string encode(const BootMark& mark) {
  std::string text;
  const auto add = [&](std::string_view word) { text.append("~").append(word); };
  if (mark.scan != BootScanState::due)
    add(mark.scan == BootScanState::live_restored ? kLive : kScanned);
  for (const auto& word : kWords) {
    if (mark.*word.flag) add(word.text);
  }
  return text;
}

BootMark decode_boot_mark(std::string_view words) {
  BootMark mark = BootMark::of_new_folder();
  while (!words.empty()) {
    if (words.front() != '~') return {};
    words.remove_prefix(1);
    const auto word = words.substr(0, words.find('~'));
    if (!set_word(mark, word)) return {};
    words.remove_prefix(word.size());
  }
  return mark;
}

}  // namespace allocator::store
