#pragma once
/// A line on the terminal that tells that long work goes on; gone when it is done.
#include <chrono>
#include <cstddef>
#include <string>

namespace shim {

/// Is seen while the work lasts, from its second second on: "looking at network pods: 12000".
/// Nothing is written where standard error is no terminal, or TERM says that it is a dumb one.
class Progress {
 public:
  /// `what`: what is done. `total`: how many steps there will be; 0: nobody knows.
  explicit Progress(const std::string& what, std::size_t total = 0);
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress();

  /// One more step is done.
  void step() {
    ++done_;
    if (is_on_terminal_) show();
  }

 private:
  void show();

  std::string what_;
  std::size_t total_;
  std::size_t done_ = 0;
  bool is_on_terminal_;
  bool is_shown_ = false;
  std::chrono::steady_clock::time_point next_;
};

}  // namespace shim
