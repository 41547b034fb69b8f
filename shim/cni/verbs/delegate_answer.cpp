#include "shim/cni/verbs/delegate_answer.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "shim/cni/protocol/json_text.hpp"
#include "shim/cni/protocol/version.hpp"
#include "shim/cni/result/convert.hpp"

namespace shim {
namespace {

using delegate::End;
using delegate::ProcessOutcome;

/// Go's names of signals where they differ from strsignal(3): small letters, mostly.
std::string signal_name(int number) {
  std::string name = ::strsignal(number);
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name;
}

std::string end_text(const ProcessOutcome& outcome) {
  if (outcome.end == End::signalled) return "signal: " + signal_name(outcome.number);
  return "exit status " + std::to_string(outcome.number);
}

std::string errno_text(int number) {
  std::string text = std::strerror(number);
  text.front() = static_cast<char>(std::tolower(static_cast<unsigned char>(text.front())));
  return text;
}

/// An unsigned number; nullopt for what Go's decoder refuses.
std::optional<unsigned> code_of(const Json& document) {
  const Json* code = find_member(document, "code");
  if (code == nullptr) return 0;
  if (!code->is_number_unsigned()) return std::nullopt;
  if (code->get<std::uint64_t>() > std::numeric_limits<unsigned>::max()) return std::nullopt;
  return code->get<unsigned>();
}

std::string text_of(const Json& document, const char* key) {
  const Json* value = find_member(document, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
}

bool has_texts_only(const Json& document) {
  constexpr std::array<const char*, 2> keys = {"msg", "details"};
  return std::all_of(keys.begin(), keys.end(), [&](const char* key) {
    const Json* value = find_member(document, key);
    return value == nullptr || value->is_string();
  });
}

DelegateFailure timed_out(const std::string& path, std::chrono::milliseconds patience) {
  const std::chrono::duration<double> seconds = std::max(patience, std::chrono::milliseconds(0));
  std::string number = std::to_string(seconds.count());
  number.erase(number.find('.') + 2);
  DelegateFailure failure(ErrorCode::try_again_later,
                          "delegate " + path + ": no answer within " + number + " s, killed");
  failure.timed_out = true;
  return failure;
}

DelegateFailure undecipherable(const std::string& output, const std::string& cause) {
  return {ErrorCode::internal, "netplugin failed but error parsing its diagnostic message " +
                                   go_quoted(output, kWordsLimit) + ": " + cause};
}

/// The error object on stdout, whatever its keys.
DelegateFailure error_object(const std::string& output) {
  try {
    const Json document = parse_json(output);
    if (document.is_null()) return {ErrorCode::internal, ""};
    if (!document.is_object())
      return undecipherable(output, "it is " + std::string(type_name(document)));
    const auto code = code_of(document);
    if (!code || !has_texts_only(document))
      return undecipherable(output, "code must be a number and msg and details strings");
    DelegateFailure failure(*code == 0 ? ErrorCode::internal : ErrorCode{*code},
                            text_of(document, "msg"), text_of(document, "details"));
    failure.is_delegates = true;
    return failure;
  } catch (const JsonSyntaxError& error) {
    return undecipherable(output, error.what());
  }
}

bool is_v4(const IpConfig& ip) {
  return ip.address && ip.address->address.family() == allocator::Family::v4;
}

allocator::Family family_of(const IpConfig& ip) {
  return is_v4(ip) ? allocator::Family::v4 : allocator::Family::v6;
}

void apply_families(const std::vector<allocator::Family>& families, Result& result) {
  std::vector<IpConfig> ips;
  for (const auto family : families) {
    std::copy_if(result.ips.begin(), result.ips.end(), std::back_inserter(ips),
                 [&](const IpConfig& ip) { return family_of(ip) == family; });
  }
  if (ips.empty() && !result.ips.empty()) {
    throw CniError(ErrorCode::invalid_config,
                   "/ipam/ipFamilies leaves no address: the delegate gave none of these families");
  }
  result.ips = std::move(ips);
  std::erase_if(result.routes, [&](const Route& route) {
    const auto family = route.dst && route.dst->address.family() == allocator::Family::v4
                            ? allocator::Family::v4
                            : allocator::Family::v6;
    return std::find(families.begin(), families.end(), family) == families.end();
  });
}

void refuse_second_addresses(const Result& result, std::string_view cni_version) {
  if (result_family(cni_version.empty() ? kOldestVersion : cni_version) != ResultFamily::pair)
    return;
  const auto v4 = std::count_if(result.ips.begin(), result.ips.end(), is_v4);
  if (v4 <= 1 && static_cast<std::ptrdiff_t>(result.ips.size()) - v4 <= 1) return;
  throw CniError(ErrorCode::internal, "CNI version " + std::string(cni_version) +
                                          " does not support more than 1 address per family");
}

/// An error object that came with exit code 0 reads as a result without addresses.
std::string message_in(std::string_view output) {
  try {
    return text_of(parse_json(output), "msg");
  } catch (const JsonSyntaxError&) {
    return {};
  }
}

}  // namespace

bool succeeded(const ProcessOutcome& outcome) {
  return outcome.end == End::exited && outcome.number == 0;
}

DelegateFailure failure_of(const ProcessOutcome& outcome, const std::string& path,
                           std::chrono::milliseconds patience) {
  if (outcome.end == End::not_started) {
    DelegateFailure failure(
        outcome.number == ETXTBSY ? ErrorCode::try_again_later : ErrorCode::internal,
        "netplugin failed with no error message: fork/exec " + path + ": " +
            errno_text(outcome.number));
    failure.has_run = false;
    return failure;
  }
  if (outcome.end == End::timed_out) {
    return timed_out(path, patience);
  }
  if (outcome.end == End::too_much_output) {
    return {ErrorCode::internal, "delegate " + path + ": printed more than 1 MiB, killed"};
  }
  if (!outcome.output.empty()) return error_object(outcome.output);
  if (!outcome.error_text.empty()) {
    return {ErrorCode::internal, "netplugin failed: " + go_quoted(outcome.error_text, kWordsLimit) +
                                     ": " + end_text(outcome)};
  }
  return {ErrorCode::internal, "netplugin failed with no error message: " + end_text(outcome)};
}

Result usable_result(std::string_view output, const Rewriting& rewriting) {
  Result result = newest_form(read_delegate_result(output, rewriting.sent_version));
  if (result.ips.empty()) {
    throw CniError(ErrorCode::internal, "IPAM plugin returned missing IP config",
                   message_in(output));
  }
  if (!rewriting.keep_interfaces) {
    result.interfaces.clear();
    for (auto& ip : result.ips) ip.interface.reset();
  }
  if (!rewriting.families.empty()) apply_families(rewriting.families, result);
  refuse_second_addresses(result, rewriting.cni_version);
  return result;
}

std::vector<allocator::Address> addresses_of(const Result& result) {
  std::vector<allocator::Address> addresses;
  for (const auto& ip : result.ips) {
    if (ip.address) addresses.push_back(ip.address->address);
  }
  return addresses;
}

}  // namespace shim
