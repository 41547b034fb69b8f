#pragma once
/// What a fuzz target is: a function that looks at one input and throws Violation where a property
/// does not hold. One file a target, in which a Registration tells of it; entry.cpp hands it to
/// libFuzzer, corpus_main.cpp gives every target its corpus.
#include <cstddef>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <typeinfo>
#include <vector>

namespace fuzz {

/// A property that does not hold. No std::exception: nothing in the product catches it.
struct Violation {
  std::string what;
};

inline void require(bool holds, const std::string& what) {
  if (!holds) throw Violation{what};
}

/// The message of the error that `action` ends with; nullopt when it ends well.
/// Errors: throws Violation for an exception that is none of `Own`, the product's own types.
template <class... Own, class Action>
std::optional<std::string> refusal(Action action) {
  try {
    action();
  } catch (const std::exception& error) {
    const bool is_own = (... || (dynamic_cast<const Own*>(&error) != nullptr));
    require(is_own,
            std::string("a foreign exception, ") + typeid(error).name() + ": " + error.what());
    return error.what();
  }
  return std::nullopt;
}

/// `make()`'s value; nullopt when it ends with an error. Errors: as refusal().
template <class... Own, class Make>
auto accepted(Make make) -> std::optional<decltype(make())> {
  std::optional<decltype(make())> made;
  static_cast<void>(refusal<Own...>([&] { made = make(); }));
  return made;
}

/// True when a run of digits in `text` starts with a 0 that it does not need.
inline bool has_padded_number(std::string_view text) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  for (std::size_t i = 0; i + 1 < text.size(); ++i) {
    const bool is_first = i == 0 || !is_digit(text[i - 1]);
    if (is_first && text[i] == '0' && is_digit(text[i + 1])) return true;
  }
  return false;
}

/// The bytes of an input, taken from the front as small values. Behind the end all is 0 and "".
class Input {
 public:
  explicit Input(std::string_view bytes) : bytes_(bytes) {}

  [[nodiscard]] bool is_empty() const { return bytes_.empty(); }
  std::uint8_t byte() {
    if (bytes_.empty()) return 0;
    const auto first = static_cast<std::uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return first;
  }
  /// Below `limit`, which is at most 256.
  std::size_t below(std::size_t limit) { return byte() % limit; }
  bool coin() { return byte() % 2 == 1; }
  /// A byte that says how many follow, and those.
  std::string text() { return take(byte()); }
  std::string take(std::size_t count) {
    std::string taken(bytes_.substr(0, count));
    bytes_.remove_prefix(taken.size());
    return taken;
  }
  /// Up to the next `end`, which goes too; all that is left where there is none.
  std::string until(char end) {
    std::string taken = take(bytes_.find(end) == bytes_.npos ? bytes_.size() : bytes_.find(end));
    if (!bytes_.empty()) bytes_.remove_prefix(1);
    return taken;
  }
  std::string rest() { return take(bytes_.size()); }

 private:
  std::string_view bytes_;
};

using Run = void (*)(std::string_view input);

struct Target {
  std::string name;
  Run run;
};

/// Those that are linked in.
inline std::vector<Target>& targets() {
  static std::vector<Target> all;
  return all;
}

struct Registration {
  Registration(const char* name, Run run) { targets().push_back({name, run}); }
};

}  // namespace fuzz
