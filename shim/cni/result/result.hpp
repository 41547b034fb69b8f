#pragma once
/// CNI results as values: the answer to ADD in each of the three shapes that the specification has
/// had.
///
/// Every version family has one in-memory form, one reader and one writer: PairResult (0.1.0,
/// 0.2.0), ListResult (0.3.0 to 0.4.0), Result (1.0.0, 1.1.0). Conversion between them is in
/// convert.hpp. No I/O; nothing is filled in. Reading follows Go's decoder: keys in any letter
/// case, later duplicates win, unknown keys are ignored, a missing address or destination is kept
/// as such. A null inside a list of addresses, routes or interfaces is refused.
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "allocator/address.hpp"
#include "shim/cni/protocol/json_text.hpp"

namespace shim {

struct Route {
  std::optional<allocator::Cidr> dst;
  std::optional<allocator::Address> gw;
  std::int64_t mtu = 0, advmss = 0, priority = 0;  // 0 = not given
  std::optional<std::int64_t> table, scope;

  bool operator==(const Route&) const = default;
};

struct Dns {
  std::vector<std::string> nameservers;
  std::string domain;
  std::vector<std::string> search, options;

  bool operator==(const Dns&) const = default;
};

struct Interface {
  std::string name, mac, sandbox;
  std::int64_t mtu = 0;  // 0 = not given
  std::string socket_path, pci_id;

  bool operator==(const Interface&) const = default;
};

/// An interface before 1.0.0.
struct OldInterface {
  std::string name, mac, sandbox;

  bool operator==(const OldInterface&) const = default;
};

struct IpConfig {
  std::optional<allocator::Cidr> address;
  std::optional<allocator::Address> gateway;
  std::optional<std::int64_t> interface;  // index into the interfaces, not checked

  bool operator==(const IpConfig&) const = default;
};

/// The newest form: 1.0.0 and 1.1.0.
struct Result {
  std::vector<Interface> interfaces;
  std::vector<IpConfig> ips;
  std::vector<Route> routes;
  Dns dns;
  std::string cni_version;

  bool operator==(const Result&) const = default;
};

/// An address of 0.3.0 to 0.4.0. `version` is free text there: it decides conversions and is never
/// checked.
struct VersionedIp {
  std::string version;
  IpConfig config;

  bool operator==(const VersionedIp&) const = default;
};

/// 0.3.0, 0.3.1 and 0.4.0.
struct ListResult {
  std::vector<OldInterface> interfaces;
  std::vector<VersionedIp> ips;
  std::vector<Route> routes;
  Dns dns;
  std::string cni_version;

  bool operator==(const ListResult&) const = default;
};

struct PairIp {
  std::optional<allocator::Cidr> ip;
  std::optional<allocator::Address> gateway;
  std::vector<Route> routes;

  bool operator==(const PairIp&) const = default;
};

/// 0.1.0 and 0.2.0: at most one address a family, with its routes inside it.
struct PairResult {
  std::optional<PairIp> ip4, ip6;
  Dns dns;
  std::string cni_version;

  bool operator==(const PairResult&) const = default;
};

/// A result in the form of its version family.
using ResultDocument = std::variant<PairResult, ListResult, Result>;

enum class ResultFamily : std::uint8_t { pair, list, newest };

/// The family of an exactly spelled version; nullopt for an unknown one.
std::optional<ResultFamily> result_family(std::string_view version);

/// The version that the document says it has.
const std::string& version_of(const ResultDocument& document);

/// Reads `text` as a result of `version` ("" means 0.1.0). A version inside the document wins
/// within its family.
/// Errors: throws CniError with Go's text for unknown versions, bad addresses and a version of
/// another family; with the JSON path for a value of the wrong type; with the place for bad syntax.
ResultDocument read_result(std::string_view text, std::string_view version);

/// Reads what a delegate printed on stdout when its configuration had `config_version`: a result
/// that does not say its version is one of the configuration's.
/// Errors: as read_result.
ResultDocument read_delegate_result(std::string_view text, std::string_view config_version);

/// Reads the `prevResult` of a configuration of `config_version`, which it has unless it says
/// another of that family.
/// Errors: as read_result, after "could not parse prevResult: "; throws CniError for no object.
ResultDocument read_prev_result(const Json& prev_result, std::string_view config_version);

enum class MissingDestination : std::uint8_t { keep, refuse };

/// Reads one route, of a result or of `ipam.routes`. `json_path` says where it stands.
/// Errors: throws CniError "invalid CIDR address: X", "invalid IP address: X", or "<path> must be a
/// string, but is a number" and the like; null is refused, a missing `dst` on request.
Route read_route(const Json& value, std::string_view json_path,
                 MissingDestination missing = MissingDestination::keep);

/// The document as the Go library prints it, in its own version. Before 1.0.0: keys in declared
/// order, `dns` always there. Since 1.0.0: keys sorted, an empty `dns` left out, numbers above 2^53
/// rounded to a double.
/// Format: JSON, 4-space indent, no newline at the end; a missing address is the text "<nil>".
std::string print_document(const ResultDocument& document);

/// `result` converted to the caller's version ("" means 0.1.0) and printed.
/// Errors: throws CniError when that version is unknown, or cannot express the result.
std::string print_result(const Result& result, std::string_view cni_version);

}  // namespace shim
