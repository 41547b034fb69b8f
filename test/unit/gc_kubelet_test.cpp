// What `gc` reads of the kubelet's Pods API: HTTP/2 and protocol buffers as bytes.
#include <string>
#include <vector>

#include "shim/cli/change/gc/grpc_call.hpp"
#include "shim/cli/change/gc/pod_lists.hpp"
#include "test/unit/catch.hpp"

using namespace shim::change;
using namespace std::string_literals;

namespace {

enum Type : char {
  kData = 0,
  kHeaders = 1,
  kReset = 3,
  kSettings = 4,
  kPush = 5,
  kPing = 6,
  kGoAway = 7,
  kContinuation = 9
};
constexpr char kEnd = 1;
constexpr char kWhole = 4;  // the fields end with this frame
constexpr char kPadded = 8;

std::string frame(Type type, char flags, char stream, const std::string& payload) {
  const auto size = payload.size();
  return std::string{static_cast<char>(size >> 16),
                     static_cast<char>(size >> 8),
                     static_cast<char>(size),
                     type,
                     flags,
                     0,
                     0,
                     0,
                     stream} +
         payload;
}

std::string message(const std::string& bytes) {
  return "\0\0\0\0"s + static_cast<char>(bytes.size()) + bytes;
}

const std::string kSettingsFrame = frame(kSettings, 0, 0, "");
const std::string kFields = frame(kHeaders, kWhole, 1, "\x88");
const std::string kTrailers = frame(kHeaders, kWhole | kEnd, 1, "x");

/// The message, as it comes in pieces of this size.
std::string answered(const std::string& bytes, std::size_t step = 1000) {
  CallAnswer answer;
  for (std::size_t at = 0; at < bytes.size(); at += step) answer.take(bytes.substr(at, step));
  return answer.message();
}

std::string why_not(const std::string& bytes) {
  try {
    return "answered: " + answered(bytes);
  } catch (const NoPods& error) {
    return error.what();
  }
}

/// A field of bytes.
std::string field(char number, const std::string& value) {
  return std::string{static_cast<char>(number << 3 | 2), static_cast<char>(value.size())} + value;
}

std::string fields(const std::string& bytes, std::uint64_t number) {
  std::string text;
  for (const auto& value : fields_of(bytes, number)) text.append(value).append(";");
  return text;
}

}  // namespace

TEST_CASE("an answer is the message between fields and trailers", "[gc]") {
  const std::size_t step = GENERATE(1U, 2U, 1000U);
  const std::string begin = kSettingsFrame + frame(kSettings, 1, 0, "") + kFields;
  CHECK(answered(begin + frame(kData, 0, 1, message("pods")) + kTrailers, step) == "pods");
  CHECK(answered(begin + frame(kData, 0, 1, message("pods").substr(0, 3)) +
                     frame(kData, 0, 1, message("pods").substr(3)) + kTrailers,
                 step) == "pods");
  CHECK(answered(begin + frame(kData, kPadded, 1, "\2"s + message("pods") + "\0\0"s) + kTrailers,
                 step) == "pods");
  CHECK(answered(begin + frame(kData, 0, 1, message("")) + frame(kHeaders, kEnd, 1, "x") +
                     frame(kContinuation, 0, 1, "y") + frame(kContinuation, kWhole, 1, "z"),
                 step)
            .empty());
}

TEST_CASE("a server's settings and pings are answered", "[gc]") {
  CallAnswer answer;
  CHECK(answer.take(kSettingsFrame) == frame(kSettings, 1, 0, ""));
  CHECK(answer.take(frame(kSettings, 1, 0, "")).empty());
  CHECK(answer.take(frame(kPing, 0, 0, "12345678")) == frame(kPing, 1, 0, "12345678"));
  CHECK(answer.take(frame(kPing, 1, 0, "12345678")).empty());
  CHECK(answer.take(frame(static_cast<Type>(16), 0, 0, "of a type that is not known")).empty());
  CHECK_FALSE(answer.is_complete());
  answer.take(kTrailers);
  CHECK(answer.is_complete());
}

TEST_CASE("what is no whole message is no list", "[gc]") {
  const std::string data = frame(kData, 0, 1, message("pods"));
  CHECK(why_not(kTrailers) == "it refuses to list its pods");
  CHECK(why_not(kFields + kTrailers) == "it refuses to list its pods");
  CHECK(why_not(kFields + data) == "the list is torn");
  CHECK(why_not(data + frame(kHeaders, kEnd, 1, "x")) == "the list is torn");
  CHECK(why_not(frame(kData, 0, 1, "\1"s + message("pods").substr(1)) + kTrailers) ==
        "the list is torn");
  CHECK(why_not(frame(kData, 0, 1, message("pods") + "x") + kTrailers) == "the list is torn");
  CHECK(why_not(data + data + kTrailers) == "the list is torn");
  CHECK(why_not(frame(kData, 0, 1, "\0\0"s) + kTrailers) == "the list is torn");
  for (const Type type : {kReset, kPush, kGoAway})
    CHECK(why_not(data + frame(type, 0, 1, "") + kTrailers) == "it broke the call off");
  CHECK(why_not(frame(kData, kEnd, 1, message("pods"))) == "it broke the call off");
  CHECK(why_not(frame(kData, 0, 3, message("pods"))) == "it broke the call off");
  CHECK(why_not(frame(kData, kPadded, 1, "\5ab")) == "it speaks no HTTP/2");
  CHECK(why_not(frame(kData, kPadded, 1, "")) == "it speaks no HTTP/2");
  CHECK(why_not("HTTP/1.1 400 Bad Request\r\n\r\n") == "it speaks no HTTP/2");
}

TEST_CASE("of a message the fields of one number are read", "[gc]") {
  const std::string others = "\x08\x96\x01"s +
                             "\x11"
                             "12345678"s +
                             "\x1d"
                             "1234"s;
  CHECK(fields(others + field(1, "a") + field(2, "b") + field(1, "") + others, 1) == "a;;");
  CHECK(fields("", 1).empty());
  for (const auto& torn : {"\x0a"s,
                           "\x0a\x05"
                           "ab"s,
                           "\x08"s, "\x08\x80"s,
                           "\x11"
                           "1234567"s,
                           "\x1d"
                           "123"s,
                           "\x0b"s, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"s}) {
    CAPTURE(torn);
    CHECK_THROWS_AS(fields_of(torn, 1), NoPods);
  }
}
