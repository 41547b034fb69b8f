#pragma once
/// The kernel's tables in /proc, word by word. A stream would bring the locales, which no other part
/// of an ADD needs.
#include <algorithm>
#include <charconv>
#include <string_view>

namespace allocator::store {

/// The words of a text, one after the other; empty ones behind its end.
class Words {
 public:
  /// `text` must outlive it.
  explicit Words(std::string_view text) : rest_(text) {}

  std::string_view next() {
    rest_.remove_prefix(std::min(rest_.find_first_not_of(kBlanks), rest_.size()));
    const auto word = rest_.substr(0, rest_.find_first_of(kBlanks));
    rest_.remove_prefix(word.size());
    return word;
  }

  /// 0 where there is none.
  template <typename Number>
  Number next_number() {
    const auto word = next();
    Number number = 0;
    std::from_chars(word.data(), word.data() + word.size(), number);
    return number;
  }

 private:
  static constexpr std::string_view kBlanks = " \t\n";
  std::string_view rest_;
};

/// Takes the first line off `text`, without its end. Empty where nothing is left.
inline std::string_view take_line(std::string_view& text) {
  const auto line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(line.size() + 1, text.size()));
  return line;
}

}  // namespace allocator::store
