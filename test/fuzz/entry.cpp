// libFuzzer's entry point for the one target that it is linked with.
#include <cstdio>
#include <cstdlib>

#include "test/fuzz/target.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    fuzz::targets().front().run({reinterpret_cast<const char*>(data), size});
    return 0;
  } catch (const fuzz::Violation& violation) {
    std::fprintf(stderr, "== VIOLATED: %s\n", violation.what.c_str());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "== VIOLATED: an exception that nobody expects: %s\n", error.what());
  }
  std::abort();
}
