#pragma once
/// As much of gRPC as one call without arguments needs, as bytes. Pure.
///
/// Sources: RFC 9113 (frames), RFC 7541 (header fields), grpc.io, "gRPC over HTTP2".
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace shim::change {

/// What a client sends first, and all of it: its settings, and a call of `path`, as in
/// "/package.Service/Method", with an empty message.
std::string begin_call(std::string_view path);

/// The answer to it, read as it comes.
class CallAnswer {
 public:
  /// Takes what was received; returns what is to be sent for it.
  /// Errors: throws NoPods (see pod_lists.hpp) for what is no HTTP/2, for a call that the server
  /// broke off, and for more than 64 MiB.
  std::string take(std::string_view bytes);
  /// True when nothing more comes.
  [[nodiscard]] bool is_complete() const { return is_complete_; }
  /// The message that was answered.
  /// Errors: throws NoPods where there is none, as after an error, and for a torn or compressed one.
  [[nodiscard]] std::string message() const;

 private:
  struct Frame;
  std::string take_frame(const Frame& frame);
  void take_data(const Frame& frame);

  std::string unread_;
  std::string data_;
  bool has_trailers_ = false;
  bool is_complete_ = false;
};

/// The values of a protocol buffers message that are texts, bytes or messages, for one field.
/// Errors: throws NoPods for what is no such message.
/// Source: protobuf.dev, "Encoding".
std::vector<std::string_view> fields_of(std::string_view message, std::uint64_t number);

}  // namespace shim::change
