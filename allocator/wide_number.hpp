#pragma once
/// The numbers of IPv6 addresses where the compiler has none of 128 bits: on 32-bit processors.
#include <compare>
#include <concepts>
#include <cstdint>

namespace allocator {

/// An unsigned number of 128 bits that behaves as unsigned __int128 does: it wraps around, and a
/// shift by 128 or more, or a division by 0, is no meaningful call.
class WideNumber {
 public:
  constexpr WideNumber() = default;
  /// A signed number is meant to be not negative.
  constexpr WideNumber(std::integral auto number)  // NOLINT(google-explicit-constructor)
      : low_(static_cast<std::uint64_t>(number)) {}

  /// The lowest bits.
  template <std::integral Number>
  constexpr explicit operator Number() const {
    return static_cast<Number>(low_);
  }
  constexpr explicit operator bool() const { return (high_ | low_) != 0; }

  friend constexpr bool operator==(const WideNumber&, const WideNumber&) = default;
  friend constexpr std::strong_ordering operator<=>(const WideNumber& one,
                                                    const WideNumber& other) {
    return one.high_ != other.high_ ? one.high_ <=> other.high_ : one.low_ <=> other.low_;
  }

  friend constexpr WideNumber operator~(WideNumber one) { return {~one.high_, ~one.low_}; }
  friend constexpr WideNumber operator&(WideNumber one, WideNumber other) {
    return {one.high_ & other.high_, one.low_ & other.low_};
  }
  friend constexpr WideNumber operator|(WideNumber one, WideNumber other) {
    return {one.high_ | other.high_, one.low_ | other.low_};
  }
  friend constexpr WideNumber operator<<(WideNumber one, unsigned bits) {
    if (bits == 0) return one;
    if (bits >= 64) return {one.low_ << (bits - 64), 0};
    return {one.high_ << bits | one.low_ >> (64 - bits), one.low_ << bits};
  }
  friend constexpr WideNumber operator>>(WideNumber one, unsigned bits) {
    if (bits == 0) return one;
    if (bits >= 64) return {0, one.high_ >> (bits - 64)};
    return {one.high_ >> bits, one.low_ >> bits | one.high_ << (64 - bits)};
  }
  friend constexpr WideNumber operator+(WideNumber one, WideNumber other) {
    const std::uint64_t low = one.low_ + other.low_;
    return {one.high_ + other.high_ + (low < one.low_ ? 1U : 0U), low};
  }
  friend constexpr WideNumber operator-(WideNumber one, WideNumber other) {
    return one + ~other + WideNumber(1U);
  }
  friend constexpr WideNumber operator*(WideNumber one, WideNumber other) {
    WideNumber product;
    for (; other; other = other >> 1, one = one << 1) {
      if ((other.low_ & 1) != 0) product = product + one;
    }
    return product;
  }
  friend constexpr WideNumber operator/(WideNumber one, WideNumber other) {
    WideNumber quotient;
    WideNumber rest;
    for (unsigned bit = 128; bit-- > 0;) {
      const bool carried = rest.high_ >> 63 != 0;
      rest = rest << 1 | (one >> bit & WideNumber(1U));
      if (!carried && rest < other) continue;
      rest = rest - other;
      quotient = quotient | WideNumber(1U) << bit;
    }
    return quotient;
  }
  friend constexpr WideNumber operator%(WideNumber one, WideNumber other) {
    return one - one / other * other;
  }

  constexpr WideNumber& operator+=(WideNumber other) { return *this = *this + other; }
  constexpr WideNumber& operator-=(WideNumber other) { return *this = *this - other; }
  constexpr WideNumber& operator|=(WideNumber other) { return *this = *this | other; }
  constexpr WideNumber& operator<<=(unsigned bits) { return *this = *this << bits; }
  constexpr WideNumber& operator>>=(unsigned bits) { return *this = *this >> bits; }
  constexpr WideNumber& operator++() { return *this += WideNumber(1U); }

 private:
  constexpr WideNumber(std::uint64_t high, std::uint64_t low) : high_(high), low_(low) {}

  std::uint64_t high_ = 0;
  std::uint64_t low_ = 0;
};

}  // namespace allocator
