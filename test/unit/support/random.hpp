#pragma once
/// Random input for property tests. Every such test shows its seed when it fails; TEST_SEED in the
/// environment sets it.
#include <cstdlib>
#include <random>
#include <string>

namespace test {

inline std::mt19937::result_type seed() {
  static const auto value = [] {
    const char* given = std::getenv("TEST_SEED");
    return given == nullptr ? std::random_device{}()
                            : static_cast<std::mt19937::result_type>(std::stoul(given));
  }();
  return value;
}

/// A source of random numbers and what a failure message says about it. Each test starts from the
/// seed anew.
class Random {
 public:
  Random() : engine_(seed()) {}

  [[nodiscard]] static std::string note() { return "seed: TEST_SEED=" + std::to_string(seed()); }

  /// A whole number from 0 to `limit` - 1.
  std::size_t below(std::size_t limit) {
    return std::uniform_int_distribution<std::size_t>(0, limit - 1)(engine_);
  }
  bool coin() { return below(2) == 0; }

  /// Up to `longest` bytes; half of the texts are made of the bytes that names and escapes are made
  /// of.
  std::string nasty_text(std::size_t longest) {
    static constexpr std::string_view kTricky = "~%_@/.-:,0aA41\r\n \\";
    const std::size_t length = below(longest + 1);
    const bool tricky = coin();
    std::string text;
    while (text.size() < length) {
      text += tricky ? kTricky[below(kTricky.size())] : static_cast<char>(1 + below(255));
    }
    return text;
  }

 private:
  std::mt19937 engine_;
};

}  // namespace test
