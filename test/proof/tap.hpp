#pragma once
/// TAP on standard output, a line a test.
#include <cstdio>
#include <string>

namespace proof {

class Tap {
 public:
  void test(bool is_ok, const std::string& name) {
    std::printf("%s %d - %s\n", is_ok ? "ok" : "not ok", ++count_, name.c_str());
    std::fflush(stdout);
    failed_ += is_ok ? 0 : 1;
  }
  void plan() const { std::printf("1..%d\n", count_); }
  [[nodiscard]] int failed() const { return failed_; }

 private:
  int count_ = 0;
  int failed_ = 0;
};

}  // namespace proof
