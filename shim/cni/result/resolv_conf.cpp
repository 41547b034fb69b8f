#include "shim/cni/result/resolv_conf.hpp"

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "shim/cni/protocol/error.hpp"

namespace shim {
namespace {

constexpr std::size_t kLineLimit = std::size_t{64} * 1024;

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  constexpr std::string_view space = " \t\r\v\f";
  while (true) {
    const auto start = line.find_first_not_of(space);
    if (start == std::string_view::npos) return words;
    line.remove_prefix(start);
    const auto end = std::min(line.find_first_of(space), line.size());
    words.emplace_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

void apply_line(const std::vector<std::string>& words, Dns& dns) {
  const auto append_rest = [&](std::vector<std::string>& list) {
    std::copy(std::next(words.begin()), words.end(), std::back_inserter(list));
  };
  if (words[0] == "nameserver") dns.nameservers.push_back(words[1]);
  if (words[0] == "domain") dns.domain = words[1];
  if (words[0] == "search") append_rest(dns.search);
  if (words[0] == "options") append_rest(dns.options);
}

}  // namespace

Dns parse_resolv_conf(std::string_view text) {
  Dns dns;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    if (end >= kLineLimit) throw CniError(ErrorCode::internal, "bufio.Scanner: token too long");
    const auto words = words_of(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    const bool counts = words.size() >= 2 && words[0].front() != '#' && words[0].front() != ';';
    if (counts) apply_line(words, dns);
  }
  return dns;
}

}  // namespace shim
