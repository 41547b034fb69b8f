#pragma once
/// The three pipes to a program that runs: its stdin is fed, its stdout kept, its stderr kept and
/// passed on, all at once, so that neither side can block the other.
#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "delegate/process.hpp"

namespace delegate {

/// An open file descriptor, close-on-exec, closed by the destructor.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(other.number_) { other.number_ = -1; }
  Descriptor& operator=(Descriptor&& other) noexcept;
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor();

  [[nodiscard]] int number() const { return number_; }
  [[nodiscard]] bool is_open() const { return number_ >= 0; }

 private:
  int number_ = -1;
};

/// The program's own ends.
struct PipeEnds {
  Descriptor input, output, error;
};

enum class Moved : std::uint8_t { some, program_ended };

class Pipes {
 public:
  /// Opens the pipes; `input` and `show` must outlive the object.
  /// Errors: throws std::system_error.
  static Pipes make(std::string_view input, const ShowText& show, PipeEnds& ends);

  /// Waits until data can be moved, the program behind `pidfd` (-1: none) ends, or `until`, and
  /// moves what there is.
  Moved move(int pidfd, std::chrono::steady_clock::time_point until);
  /// Reads what lies in the pipes, waiting for nothing, and passes on what our stderr takes.
  void take_what_is_there();

  /// True while somebody holds the other end of stdout or stderr.
  [[nodiscard]] bool is_open() const { return output_end_.is_open() || error_end_.is_open(); }
  [[nodiscard]] const std::string& output() const { return output_; }
  [[nodiscard]] std::string take_output() { return std::move(output_); }
  [[nodiscard]] std::string take_error_text() { return std::move(error_text_); }

 private:
  void feed();
  void read_output();
  void read_error_text();
  void show(std::string_view piece);
  void pass_on();
  [[nodiscard]] bool may_read_error_text();

  Descriptor input_end_, output_end_, error_end_;
  std::string_view input_;
  const ShowText* show_ = nullptr;
  std::string output_;
  std::string error_text_;
  std::string unsent_;  // of stderr, not passed on yet
  bool sink_is_stuck_ = false;
  std::chrono::steady_clock::time_point sink_took_{};
};

}  // namespace delegate
