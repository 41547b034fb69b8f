/// What happens when an exception leaves main() or a noexcept function: its text on stderr, and the
/// end by SIGABRT. The standard library's own handler also tells the type, for which it brings a
/// demangler of 45 KB into a static executable. It is replaced by a function of the same name,
/// which the linker takes before it looks into the library (GNU libstdc++ manual, "Verbose
/// Terminate Handler").
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <exception>

namespace {

void tell(const char* text) {
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text, std::strlen(text));
}

void tell_exception() {
  try {
    std::rethrow_exception(std::current_exception());
  } catch (const std::exception& error) {
    tell(error.what());
  } catch (...) {
    tell("an exception without a text");
  }
}

}  // namespace

// NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the library's name for it
namespace __gnu_cxx {

void __verbose_terminate_handler();

void __verbose_terminate_handler() {
  tell("delegated-ipam: terminated: ");
  if (std::current_exception()) {
    tell_exception();
  } else {
    tell("no exception");
  }
  tell("\n");
  std::abort();
}

}  // namespace __gnu_cxx
// NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp)
