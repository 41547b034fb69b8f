/// WideNumber stands in for unsigned __int128: held against it where there is one.
#include "allocator/wide_number.hpp"

#include <cstdint>
#include <random>
#include <utility>

#include "test/unit/catch.hpp"

using allocator::WideNumber;

TEST_CASE("wide number: parts, order and wrapping around", "[allocator]") {
  const WideNumber big = WideNumber(1) << 64;
  CHECK(static_cast<std::uint64_t>(big >> 64) == 1);
  CHECK(static_cast<std::uint64_t>(big) == 0);
  CHECK(big > WideNumber(~std::uint64_t{0}));
  CHECK(big - 1 == WideNumber(~std::uint64_t{0}));
  CHECK(WideNumber(0) - 1 == ~WideNumber(0));
  CHECK(~WideNumber(0) + 1 == WideNumber(0));
  CHECK(big / 3 * 3 + big % 3 == big);
  CHECK(~WideNumber(0) / ~WideNumber(0) == WideNumber(1));
}

#ifdef __SIZEOF_INT128__
namespace {

__extension__ using Native = unsigned __int128;

Native native(WideNumber number) {
  return Native{static_cast<std::uint64_t>(number >> 64)} << 64 |
         static_cast<std::uint64_t>(number);
}

/// Numbers of every length, so that carries, borrows and short quotients all occur.
std::pair<WideNumber, Native> any(std::mt19937_64& random) {
  const auto high = random();
  const auto low = random();
  const auto bits = static_cast<unsigned>(random() % 128);
  return {(WideNumber(high) << 64 | low) >> bits, (Native{high} << 64 | low) >> bits};
}

}  // namespace

TEST_CASE("wide number: calculates as the compiler's own number does", "[allocator]") {
  std::mt19937_64 random(1);
  for (int round = 0; round < 2'000; ++round) {
    const auto [one, one_native] = any(random);
    const auto [other, other_native] = any(random);
    const auto bits = static_cast<unsigned>(random() % 128);
    REQUIRE(native(one) == one_native);
    REQUIRE(native(one + other) == one_native + other_native);
    REQUIRE(native(one - other) == one_native - other_native);
    REQUIRE(native(one * other) == one_native * other_native);
    REQUIRE(native(one << bits) == one_native << bits);
    REQUIRE(native(one >> bits) == one_native >> bits);
    REQUIRE((one < other) == (one_native < other_native));
    if (other_native == 0) continue;
    REQUIRE(native(one / other) == one_native / other_native);
    REQUIRE(native(one % other) == one_native % other_native);
  }
}
#endif
