#include "shim/cli/change/gc/grpc_call.hpp"

#include "shim/cli/change/gc/pod_lists.hpp"

namespace shim::change {
namespace {

constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::size_t kHeadSize = 9;        // of a frame
constexpr std::size_t kFrameLimit = 16384;  // as we have announced no other
constexpr std::size_t kAnswerLimit = std::size_t{64} << 20;
constexpr std::uint32_t kStream = 1;
constexpr std::uint32_t kLargestWindow = 0x7fffffff;
constexpr std::size_t kMessageHead = 5;  // compressed or not, and the length

enum Type : std::uint8_t {
  kData = 0,
  kHeaders = 1,
  kReset = 3,
  kSettings = 4,
  kPromise = 5,
  kPing = 6,
  kGoAway = 7,
  kWindowUpdate = 8,
  kContinuation = 9
};

enum Flag : std::uint8_t { kAck = 1, kEndStream = 1, kEndHeaders = 4, kPadded = 8 };

[[noreturn]] void refuse(const char* why) { throw NoPods(why); }

void put_number(std::string& text, std::uint64_t number, int bytes) {
  while (bytes-- > 0) text += static_cast<char>(number >> (8 * bytes) & 0xff);
}

std::uint64_t number_in(std::string_view bytes) {
  std::uint64_t number = 0;
  for (const char one : bytes) number = number << 8 | static_cast<std::uint8_t>(one);
  return number;
}

std::string frame(Type type, std::uint8_t flags, std::uint32_t stream, std::string_view payload) {
  std::string text;
  put_number(text, payload.size(), 3);
  put_number(text, type, 1);
  put_number(text, flags, 1);
  put_number(text, stream, 4);
  return text.append(payload);
}

/// A field that no table takes up. `name`: the first bytes of its form, see RFC 7541, 6.2.2.
void put_field(std::string& block, std::string_view name, std::string_view value) {
  block += name;
  put_number(block, value.size(), 1);  // below 127, and not compressed
  block += value;
}

std::string request_fields(std::string_view path) {
  std::string block = "\x83\x86";  // :method POST, :scheme http
  put_field(block, "\x04", path);
  put_field(block, "\x01", "localhost");  // :authority
  put_field(block, std::string_view("\x0f\x10", 2), "application/grpc");
  put_field(block, std::string_view("\x00\x02te", 4), "trailers");
  return block;
}

std::string settings() {
  std::string text;
  put_number(text, 2, 2);  // SETTINGS_ENABLE_PUSH
  put_number(text, 0, 4);
  put_number(text, 4, 2);  // SETTINGS_INITIAL_WINDOW_SIZE
  put_number(text, kLargestWindow, 4);
  return text;
}

/// Takes a number of seven bits a byte from the front.
std::uint64_t take_varint(std::string_view& bytes) {
  std::uint64_t number = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (bytes.empty()) break;
    const auto one = static_cast<std::uint8_t>(bytes.front());
    bytes.remove_prefix(1);
    number |= std::uint64_t{one & 0x7fU} << shift;
    if ((one & 0x80) == 0) return number;
  }
  refuse("a pod is torn");
}

std::string_view take_bytes(std::string_view& bytes, std::uint64_t size) {
  if (size > bytes.size()) refuse("a pod is torn");
  const auto taken = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return taken;
}

}  // namespace

struct CallAnswer::Frame {
  std::uint8_t type;
  std::uint8_t flags;
  std::uint32_t stream;
  std::string_view payload;

  [[nodiscard]] bool has(Flag flag) const { return (flags & flag) != 0; }
};

std::string begin_call(std::string_view path) {
  constexpr std::uint32_t first_window = 65535;
  std::string window;
  put_number(window, kLargestWindow - first_window, 4);
  return std::string(kPreface)
      .append(frame(kSettings, 0, 0, settings()))
      .append(frame(kWindowUpdate, 0, 0, window))
      .append(frame(kHeaders, kEndHeaders, kStream, request_fields(path)))
      .append(frame(kData, kEndStream, kStream, std::string(kMessageHead, '\0')));
}

std::string CallAnswer::take(std::string_view bytes) {
  unread_ += bytes;
  std::string answer;
  std::string_view rest = unread_;
  while (!is_complete_ && rest.size() >= kHeadSize) {
    const auto size = number_in(rest.substr(0, 3));
    if (size > kFrameLimit) refuse("it speaks no HTTP/2");
    if (rest.size() < kHeadSize + size) break;
    answer += take_frame({static_cast<std::uint8_t>(rest[3]), static_cast<std::uint8_t>(rest[4]),
                          static_cast<std::uint32_t>(number_in(rest.substr(5, 4))) & kLargestWindow,
                          rest.substr(kHeadSize, size)});
    rest.remove_prefix(kHeadSize + size);
  }
  unread_.erase(0, unread_.size() - rest.size());
  return answer;
}

/// What the fields say is not read: a server that has an error sends no message before it.
std::string CallAnswer::take_frame(const Frame& one) {
  switch (one.type) {
    case kData:
      take_data(one);
      break;
    case kHeaders:
      has_trailers_ = one.stream == kStream && one.has(kEndStream);
      is_complete_ = has_trailers_ && one.has(kEndHeaders);
      break;
    case kContinuation:
      is_complete_ = has_trailers_ && one.has(kEndHeaders);
      break;
    case kSettings:
      if (!one.has(kAck)) return frame(kSettings, kAck, 0, {});
      break;
    case kPing:
      if (!one.has(kAck)) return frame(kPing, kAck, 0, one.payload);
      break;
    case kReset:
    case kPromise:
    case kGoAway:
      refuse("it broke the call off");
    default:
      break;  // RFC 9113, 4.1: of a type that is not known
  }
  return {};
}

void CallAnswer::take_data(const Frame& one) {
  std::string_view payload = one.payload;
  if (one.has(kPadded)) {
    const auto padding = payload.empty() ? 0 : static_cast<std::uint8_t>(payload.front()) + 1U;
    if (padding == 0 || padding > payload.size()) refuse("it speaks no HTTP/2");
    payload = payload.substr(1, payload.size() - padding);
  }
  if (one.stream != kStream || one.has(kEndStream)) refuse("it broke the call off");
  data_ += payload;
  if (data_.size() > kAnswerLimit) refuse("the list is larger than 64 MiB");
}

std::string CallAnswer::message() const {
  if (data_.empty()) refuse("it refuses to list its pods");
  const bool is_whole =
      data_.size() >= kMessageHead && data_.front() == '\0' &&
      number_in(std::string_view(data_).substr(1, 4)) == data_.size() - kMessageHead;
  if (!is_complete_ || !is_whole) refuse("the list is torn");
  return data_.substr(kMessageHead);
}

std::vector<std::string_view> fields_of(std::string_view message, std::uint64_t number) {
  std::vector<std::string_view> found;
  while (!message.empty()) {
    const auto key = take_varint(message);
    std::string_view value;
    switch (key & 7) {
      case 0:
        take_varint(message);
        break;
      case 1:
        take_bytes(message, 8);
        break;
      case 2:
        value = take_bytes(message, take_varint(message));
        if (key >> 3 == number) found.push_back(value);
        break;
      case 5:
        take_bytes(message, 4);
        break;
      default:
        refuse("a pod is torn");
    }
  }
  return found;
}

}  // namespace shim::change
