#include "delegate/pipes.hpp"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace delegate {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kErrorTextLimit = std::size_t{64} << 10;
constexpr std::size_t kUnsentLimit = std::size_t{64} << 10;
/// A caller that takes nothing of our stderr for so long does not read it at all.
constexpr std::chrono::seconds kSinkPatience{1};
constexpr std::size_t kAtOnce = 4096;  // PIPE_BUF: poll(2) says "writable" when so much has room

void make_pipe(Descriptor& reader, Descriptor& writer) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0)
    throw std::system_error(errno, std::generic_category(), "pipe");
  reader = Descriptor(ends[0]);
  writer = Descriptor(ends[1]);
}

void set_nonblocking(const Descriptor& end) {
  if (::fcntl(end.number(), F_SETFL, O_NONBLOCK) != 0)
    throw std::system_error(errno, std::generic_category(), "fcntl");
}

/// What is there now; closes `end` at the end of its data.
std::string_view read_some(Descriptor& end, std::array<char, 65536>& buffer) {
  const auto got = ::read(end.number(), buffer.data(), buffer.size());
  if (got > 0) return {buffer.data(), static_cast<std::size_t>(got)};
  const bool is_for_later = got == -1 && (errno == EAGAIN || errno == EINTR);
  if (!is_for_later) end = Descriptor();
  return {};
}

bool is_ready(const pollfd& descriptor) { return descriptor.fd >= 0 && descriptor.revents != 0; }

/// Milliseconds for poll(2), rounded up so that the moment has come when it returns.
int milliseconds_until(Clock::time_point moment) {
  const auto left = moment - Clock::now();
  if (left <= Clock::duration::zero()) return 0;
  if (left > std::chrono::hours(1)) return 3'600'000;
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count());
}

}  // namespace

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  std::swap(number_, other.number_);
  return *this;
}

Descriptor::~Descriptor() {
  if (number_ >= 0) ::close(number_);
}

Pipes Pipes::make(std::string_view input, const ShowText& show, PipeEnds& ends) {
  Pipes pipes;
  make_pipe(ends.input, pipes.input_end_);
  make_pipe(pipes.output_end_, ends.output);
  make_pipe(pipes.error_end_, ends.error);
  set_nonblocking(pipes.input_end_);
  set_nonblocking(pipes.output_end_);
  set_nonblocking(pipes.error_end_);
  pipes.input_ = input;
  pipes.show_ = &show;
  return pipes;
}

Moved Pipes::move(int pidfd, Clock::time_point until) {
  enum : std::size_t { program, to_input, from_output, from_error, to_sink };
  std::array<pollfd, 5> waiting = {
      {{pidfd, POLLIN, 0},
       {input_end_.number(), POLLOUT, 0},
       {output_end_.number(), POLLIN, 0},
       {may_read_error_text() ? error_end_.number() : -1, POLLIN, 0},
       {unsent_.empty() || sink_is_stuck_ ? -1 : STDERR_FILENO, POLLOUT, 0}}};
  // A sink that is full is looked at again now and then, to find out that it is stuck.
  const auto limit =
      unsent_.empty() || sink_is_stuck_ ? until : std::min(until, sink_took_ + kSinkPatience);
  if (::poll(waiting.data(), waiting.size(), milliseconds_until(limit)) < 0) return Moved::some;
  if (is_ready(waiting[to_input])) feed();
  if (is_ready(waiting[from_output])) read_output();
  if (is_ready(waiting[from_error])) read_error_text();
  if (is_ready(waiting[to_sink])) pass_on();
  if (!unsent_.empty() && Clock::now() > sink_took_ + kSinkPatience) {
    sink_is_stuck_ = true;
    unsent_.clear();
  }
  return is_ready(waiting[program]) ? Moved::program_ended : Moved::some;
}

/// Text that the caller is slow to take holds the program up, as it would without us between them.
bool Pipes::may_read_error_text() { return sink_is_stuck_ || unsent_.size() < kUnsentLimit; }

void Pipes::feed() {
  const auto written =
      input_.empty() ? 0 : ::write(input_end_.number(), input_.data(), input_.size());
  if (written > 0) input_.remove_prefix(static_cast<std::size_t>(written));
  const bool is_for_later = written == -1 && (errno == EAGAIN || errno == EINTR);
  // EPIPE: the program does not want to know.
  if (input_.empty() || (written == -1 && !is_for_later)) input_end_ = Descriptor();
}

void Pipes::read_output() {
  std::array<char, 65536> buffer;
  output_ += read_some(output_end_, buffer);
}

void Pipes::read_error_text() {
  std::array<char, 65536> buffer;
  const auto text = read_some(error_end_, buffer);
  error_text_ += text.substr(0, kErrorTextLimit - std::min(kErrorTextLimit, error_text_.size()));
  if (!text.empty()) show(text);
}

void Pipes::show(std::string_view piece) {
  if (sink_is_stuck_) return;
  if (unsent_.empty()) sink_took_ = Clock::now();
  unsent_ += *show_ ? (*show_)(piece) : std::string(piece);
}

void Pipes::pass_on() {
  const auto written = ::write(STDERR_FILENO, unsent_.data(), std::min(unsent_.size(), kAtOnce));
  if (written > 0) {
    unsent_.erase(0, static_cast<std::size_t>(written));
    sink_took_ = Clock::now();
  } else if (errno != EINTR && errno != EAGAIN) {
    sink_is_stuck_ = true;
    unsent_.clear();
  }
}

void Pipes::take_what_is_there() {
  for (bool more = true; more && output_.size() <= kOutputLimit;) {
    const auto before = output_.size();
    if (output_end_.is_open()) read_output();
    more = output_.size() > before;
  }
  if (error_end_.is_open()) read_error_text();
  show({});  // a last character that is not whole
  const auto until = Clock::now() + kSinkPatience;
  while (!unsent_.empty() && Clock::now() < until) {
    pollfd sink{STDERR_FILENO, POLLOUT, 0};
    if (::poll(&sink, 1, milliseconds_until(until)) > 0) pass_on();
  }
}

}  // namespace delegate
