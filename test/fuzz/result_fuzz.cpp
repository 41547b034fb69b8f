// What a delegate prints on stdout: the first byte says which version its configuration had, the
// rest is the text. Whatever version the caller wants, it sees the delegate's addresses and no
// others; and what is printed reads as what was printed.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "shim/cni/protocol/error.hpp"
#include "shim/cni/protocol/version.hpp"
#include "shim/cni/result/convert.hpp"
#include "shim/cni/result/result.hpp"
#include "shim/cni/verbs/delegate_answer.hpp"
#include "test/fuzz/target.hpp"

namespace {

using allocator::Address;
using fuzz::require;
using shim::CniError;
using shim::ResultDocument;
using Addresses = std::vector<Address>;

constexpr std::string_view kFirstList = "0.3.0";

Addresses addresses_in(const ResultDocument& document) {
  return shim::addresses_of(shim::newest_form(document));
}

bool is_whole(const shim::Result& result) {
  const auto is_there = [](const auto& ip) { return ip.address.has_value(); };
  const auto has_destination = [](const auto& route) { return route.dst.has_value(); };
  return std::all_of(result.ips.begin(), result.ips.end(), is_there) &&
         std::all_of(result.routes.begin(), result.routes.end(), has_destination);
}

/// At most one a family: the first.
Addresses first_of_each(const Addresses& all) {
  Addresses first;
  for (const auto family : {allocator::Family::v4, allocator::Family::v6}) {
    for (const auto& address : all) {
      if (address.family() != family) continue;
      first.push_back(address);
      break;
    }
  }
  return first;
}

/// The caller's document, printed and read by it.
void check_seen(const ResultDocument& document, const std::string& version) {
  const std::string printed = shim::print_document(document);
  const auto read = fuzz::accepted<CniError>([&] { return shim::read_result(printed, version); });
  // Go rounds to a double, and the greatest number up to one that it does not read.
  if (!read && printed.find("9223372036854776000") != printed.npos) return;
  require(read.has_value(), "what is printed is not read: " + printed);
  require(shim::print_document(*read) == printed, "a document is printed as another: " + printed);
}

void check_conversion(const shim::Result& newest, std::string_view to) {
  const std::string version(to);
  const Addresses all = shim::addresses_of(newest);
  const auto converted = fuzz::accepted<CniError>([&] { return shim::convert(newest, version); });
  const bool is_pair = version < kFirstList;
  require(converted || (is_pair && all.empty()), "cannot be converted to " + version);
  if (!converted) return;
  require(shim::version_of(*converted) == version, "of another version");
  const Addresses seen = addresses_in(*converted);
  require(seen == (is_pair ? first_of_each(all) : all), "other addresses in " + version);
  check_seen(*converted, version);
  // And back: nothing is added, and within a family nothing lost.
  require(addresses_in(shim::convert(*converted, newest.cni_version)) == seen,
          "other addresses on the way back from " + version);
}

void check_usable(std::string_view text, std::string_view sent, const shim::Result& newest) {
  const std::vector<allocator::Family> families;
  for (const auto version : shim::kSupportedVersions) {
    const auto usable = fuzz::accepted<CniError>([&] {
      return shim::usable_result(text, {sent, version, false, families});
    });
    if (!usable) continue;
    const Addresses all = shim::addresses_of(newest);
    // One without the member "address" is let through; whoever reads it sees "<nil>".
    require(!shim::addresses_of(*usable).empty() || !is_whole(newest),
            "a result without addresses is usable");
    for (const auto& address : shim::addresses_of(*usable))
      require(contains(all, address), "an address that the delegate did not give");
    static_cast<void>(shim::print_result(*usable, version));
  }
}

void run(std::string_view bytes) {
  fuzz::Input input(bytes);
  const std::string sent(shim::kSupportedVersions.at(input.below(shim::kSupportedVersions.size())));
  const std::string text = input.rest();
  const auto document =
      fuzz::accepted<CniError>([&] { return shim::read_delegate_result(text, sent); });
  static_cast<void>(fuzz::refusal<CniError>([&] { shim::read_result(text, sent); }));
  if (!document) return;
  const shim::Result newest = shim::newest_form(*document);
  check_usable(text, sent, newest);
  if (!is_whole(newest)) return;
  for (const auto version : shim::kSupportedVersions) check_conversion(newest, version);
}

const fuzz::Registration kTarget("result", &run);

}  // namespace
