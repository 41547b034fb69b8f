#include "allocator/store/disk/sha256.hpp"

#include <sys/types.h>
// sha2.h needs the BSD type names of sys/types.h.
#include <sha2.h>

#include <array>

namespace allocator::store {

std::string sha256_hex(std::string_view text) {
  SHA2_CTX context;
  SHA256Init(&context);
  SHA256Update(&context, reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
  std::array<std::uint8_t, SHA256_DIGEST_LENGTH> digest{};
  SHA256Final(digest.data(), &context);
  constexpr std::string_view digits = "0123456789abcdef";
  std::string hex;
  for (const auto byte : digest) {
    hex += digits[byte >> 4];
    hex += digits[byte & 15];
  }
  return hex;
}

}  // namespace allocator::store
