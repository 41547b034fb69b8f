#include "shim/cni/protocol/stdin_reader.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstring>
#include <string>
#include <thread>

#include "allocator/store/disk/file_system.hpp"
#include "test/unit/catch.hpp"
#include "test/unit/support/conf.hpp"

using allocator::store::Fd;
using test::cni_error;

namespace {

/// A pipe whose writing end a test closes when it likes.
struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    // A test that stops reading early must not die of its own writer.
    static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    reading = Fd(ends[0]);
    writing = Fd(ends[1]);
  }

  /// Writes all of the text, however much fits at a time, and closes.
  void write_and_close(const std::string& text) {
    std::string_view rest = text;
    while (!rest.empty()) {
      const auto written = ::write(writing.number(), rest.data(), rest.size());
      if (written <= 0) break;
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
    writing = Fd();
  }

  Fd reading;
  Fd writing;
};

std::string patterned(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i % 23);
  return text;
}

}  // namespace

TEST_CASE("stdin is read to its end, whatever its size up to the limit", "[stdin]") {
  const std::size_t size = GENERATE(std::size_t{0}, std::size_t{1}, std::size_t{4095},
                                    std::size_t{4096}, std::size_t{4097}, std::size_t{65536},
                                    std::size_t{65537}, std::size_t{200000}, shim::kStdinLimit);
  const std::string text = patterned(size);
  Pipe pipe;
  std::thread writer([&] { pipe.write_and_close(text); });
  const std::string got =
      shim::read_stdin(shim::kStdinLimit, pipe.reading.number(), std::chrono::seconds(30));
  writer.join();
  CHECK(got.size() == size);
  CHECK((got == text));
}

TEST_CASE("stdin that comes in pieces is put together", "[stdin]") {
  Pipe pipe;
  std::thread writer([&] {
    for (const char* piece : {"{\"na", "me\": ", "\"n\"}"}) {
      if (::write(pipe.writing.number(), piece, std::strlen(piece)) < 0) break;
      std::this_thread::yield();
    }
    pipe.writing = Fd();
  });
  const std::string got =
      shim::read_stdin(shim::kStdinLimit, pipe.reading.number(), std::chrono::seconds(30));
  writer.join();
  CHECK(got == R"({"name": "n"})");
}

TEST_CASE("stdin whose writer is gone is read without waiting", "[stdin]") {
  const std::size_t size =
      GENERATE(std::size_t{0}, std::size_t{1}, std::size_t{4096}, std::size_t{10000});
  const std::string text = patterned(size);
  Pipe pipe;
  pipe.write_and_close(text);
  const std::chrono::milliseconds no_patience{0};
  CHECK((shim::read_stdin(shim::kStdinLimit, pipe.reading.number(), no_patience,
                          shim::Writer::gone) == text));
  const std::string error =
      cni_error([&] { shim::read_stdin(shim::kStdinLimit, pipe.reading.number(), no_patience); });
  CHECK(error.find("not closed in time") != std::string::npos);
}

TEST_CASE("more than 4 MiB on stdin is refused, with the remedy", "[stdin]") {
  Pipe pipe;
  std::thread writer([&] { pipe.write_and_close(patterned(shim::kStdinLimit + 1)); });
  const std::string error = cni_error([&] {
    shim::read_stdin(shim::kStdinLimit, pipe.reading.number(), std::chrono::seconds(30));
  });
  pipe.reading = Fd();
  writer.join();
  CHECK(
      error ==
      "6: error unmarshall network config: stdin holds more than 4 MiB, the most that this command "
      "reads; shorten the pod's annotations, or take \"io.kubernetes.cri.pod-annotations\" out of "
      "the configuration's capabilities");
}

TEST_CASE("stdin that is never closed is given up", "[stdin]") {
  Pipe pipe;
  REQUIRE(::write(pipe.writing.number(), "{}", 2) == 2);
  CHECK(cni_error([&] {
          shim::read_stdin(shim::kStdinLimit, pipe.reading.number(), std::chrono::milliseconds(20));
        }) ==
        "5: error reading from stdin: not closed in time; the caller must close stdin after the "
        "configuration");
}

TEST_CASE("a descriptor that cannot be read is an I/O error", "[stdin]") {
  const Fd folder(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  CHECK(cni_error([&] {
          shim::read_stdin(shim::kStdinLimit, folder.number(), std::chrono::seconds(5));
        }) == "5: error reading from stdin: Is a directory");
}
