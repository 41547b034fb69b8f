// resolv.conf: what is read, written as a resolv.conf, reads the same.
#include "shim/cni/protocol/error.hpp"
#include "shim/cni/result/resolv_conf.hpp"
#include "test/fuzz/target.hpp"

namespace {

using fuzz::require;

std::string lines_of(const char* key, const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += std::string(key) + " " + word + "\n";
  return text;
}

std::string written(const shim::Dns& dns) {
  return lines_of("nameserver", dns.nameservers) +
         (dns.domain.empty() ? "" : "domain " + dns.domain + "\n") +
         lines_of("search", dns.search) + lines_of("options", dns.options);
}

void run(std::string_view text) {
  const auto dns = fuzz::accepted<shim::CniError>([&] { return shim::parse_resolv_conf(text); });
  if (!dns) return;
  for (const auto* list : {&dns->nameservers, &dns->search, &dns->options}) {
    for (const auto& word : *list)
      require(!word.empty() && word.find_first_of(" \t\r\v\f\n") == word.npos, "no word: " + word);
  }
  require(shim::parse_resolv_conf(written(*dns)) == *dns, "it reads as another");
  // A comment changes nothing, wherever it stands.
  require(shim::parse_resolv_conf("#nameserver 1\n" + std::string(text) + "\n;search x\n") == *dns,
          "a comment counts");
}

const fuzz::Registration kTarget("resolv_conf", &run);

}  // namespace
