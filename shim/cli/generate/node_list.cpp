#include "shim/cli/generate/node_list.hpp"

#include <cerrno>
#include <cstring>
#include <iterator>
#include <nlohmann/json.hpp>
#include <utility>

#include "shim/cli/command.hpp"
#include "shim/cni/protocol/json_text.hpp"

namespace shim {
namespace {

/// A stream, read in large pieces.
class ByteSource {
 public:
  explicit ByteSource(std::FILE* stream) : stream_(stream) { advance(); }
  char byte() const { return *next_; }
  bool at_end() const { return next_ == end_; }
  void advance() {
    if (next_ != end_ && ++next_ != end_) return;
    next_ = buffer_.data();
    end_ = next_ + std::fread(buffer_.data(), 1, buffer_.size(), stream_);
    if (next_ == end_ && std::ferror(stream_) != 0) error_ = errno;
  }
  /// Of the read that failed, which looks like the end; 0: none did.
  int error() const { return error_; }

 private:
  std::FILE* stream_;
  std::vector<char> buffer_ = std::vector<char>(std::size_t{256} << 10);
  const char* next_ = nullptr;
  const char* end_ = nullptr;
  int error_ = 0;
};

/// The bytes of a stream, for the parser; its own way to read one asks for each byte under a lock.
class ByteIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = char;

  ByteIterator() = default;  ///< the end
  explicit ByteIterator(ByteSource& source) : source_(&source) {}
  char operator*() const { return source_->byte(); }
  ByteIterator& operator++() {
    source_->advance();
    return *this;
  }
  /// Only ever asked of the end.
  bool operator!=(const ByteIterator&) const { return !source_->at_end(); }
  bool operator==(const ByteIterator&) const { return source_->at_end(); }

 private:
  ByteSource* source_ = nullptr;
};

/// Takes what is needed out of the stream of JSON events: metadata.name, spec.podCIDR(s) of the
/// objects that are nodes.
class NodeListener : public nlohmann::json_sax<Json> {
 public:
  std::vector<ListedNode> nodes;
  std::string kind;  ///< of the whole document
  std::string problem;

  bool null() override { return leave_value(); }
  bool boolean(bool) override { return leave_value(); }
  bool number_integer(number_integer_t) override { return leave_value(); }
  bool number_unsigned(number_unsigned_t) override { return leave_value(); }
  bool number_float(number_float_t, const string_t&) override { return leave_value(); }
  bool binary(binary_t&) override { return leave_value(); }

  bool string(string_t& text) override {
    if (path_ == "/kind") kind = text;
    const auto at = path_.starts_with("/items[]") ? path_.substr(8) : path_;
    if (at == "/metadata/name") current_.name = text;
    if (at == "/spec/podCIDR") current_.pod_cidr = text;
    if (at == "/spec/podCIDRs[]") current_.pod_cidrs.push_back(text);
    return leave_value();
  }

  bool start_object(std::size_t) override {
    if (path_ == "/items[]") current_ = {};
    return enter("{");
  }
  bool end_object() override {
    levels_.pop_back();
    path_.resize(lengths_.back());
    lengths_.pop_back();
    if (path_ == "/items[]" || (path_.empty() && kind == "Node")) nodes.push_back(current_);
    return leave_value();
  }
  bool start_array(std::size_t) override {
    const bool is_fine = enter("[");
    path_ += "[]";
    return is_fine;
  }
  bool end_array() override {
    levels_.pop_back();
    path_.resize(lengths_.back());
    lengths_.pop_back();
    return leave_value();
  }
  bool key(string_t& name) override {
    path_.resize(lengths_.back());
    path_ += "/" + name;
    return true;
  }
  bool parse_error(std::size_t position, const std::string&,
                   const Json::exception& error) override {
    problem = "byte " + std::to_string(position) + ": " + syntax_cause(error.what());
    return false;
  }

 private:
  bool enter(const char* kind_of_level) {
    levels_ += kind_of_level;
    lengths_.push_back(path_.size());
    return levels_.size() <= kMaxJsonDepth || refuse_depth();
  }
  bool refuse_depth() {
    problem = "is nested too deeply";
    return false;
  }
  /// The value of a member ends the member's part of the path.
  bool leave_value() {
    if (!levels_.empty() && levels_.back() == '{') path_.resize(lengths_.back());
    return true;
  }

  std::string path_;                  // of the value in sight, as in "/items[]/spec"
  std::string levels_;                // one '{' or '[' for each that is open
  std::vector<std::size_t> lengths_;  // of the path at each
  ListedNode current_;
};

}  // namespace

std::vector<ListedNode> read_node_list(std::FILE* stream, const std::string& source) {
  NodeListener listener;
  ByteSource bytes(stream);
  const bool is_read = Json::sax_parse(ByteIterator(bytes), ByteIterator(), &listener);
  if (bytes.error() != 0)
    throw UsageError("--nodes: " + source + ": " + std::strerror(bytes.error()) +
                     "; name a file that can be read, or - for standard input");
  if (!is_read)
    throw UsageError("--nodes: " + source + ": " + listener.problem +
                     "; give the output of kubectl get nodes -o json");
  if (listener.nodes.empty())
    throw UsageError("--nodes: " + source +
                     ": there is no node in it; give the output of kubectl get nodes -o json");
  return std::move(listener.nodes);
}

}  // namespace shim
