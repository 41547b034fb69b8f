#include "shim/cni/conf/head.hpp"

#include <nlohmann/json.hpp>

#include "shim/cni/protocol/environment.hpp"

namespace shim {
namespace {

/// A mistyped one is no reason to keep an address.
bool read_in_process(const ConfigReader& ipam, Strictness strictness) {
  try {
    return ipam.flag("inProcess").value_or(true);
  } catch (const CniError&) {
    if (strictness == Strictness::strict) throw;
    return true;
  }
}

/// A member of the whole document; the empty text when it is missing.
std::string read_text(const Json& document, const std::string& path, const std::string& context) {
  const Json* value = find_member(document, path.substr(1));
  if (value == nullptr) return {};
  if (value->is_string()) return *value;
  throw CniError(ErrorCode::decoding_failure,
                 context + path + " must be a string, but is " + std::string(type_name(*value)))
      .at(path);
}

}  // namespace

std::string read_name(const Json& document) {
  const std::string context = "error unmarshall network config: ";
  if (!document.is_object() && !document.is_null()) {
    throw CniError(ErrorCode::decoding_failure, context +
                                                    "the configuration must be an object, but is " +
                                                    std::string(type_name(document)));
  }
  std::string name = read_text(document, "/name", context);
  if (name.empty()) throw CniError(ErrorCode::invalid_config, "missing network name").at("/name");
  if (!is_identifier(name)) {
    throw CniError(ErrorCode::invalid_config, "invalid characters found in network name", cut(name))
        .at("/name");
  }
  return name;
}

std::string read_cni_version(const Json& document) {
  return read_text(document, "/cniVersion", "decoding version from network config: ");
}

DelegateChoice read_delegate_choice(const ConfigReader& ipam, Strictness strictness) {
  const bool in_process = read_in_process(ipam, strictness);
  const ConfigReader delegate = ipam.object("delegate");
  const std::string name = delegate.text("type").value_or("host-local");
  const bool bad_name = !is_file_name(name) || name.find('\\') != std::string::npos ||
                        name.find("..") != std::string::npos;
  if (bad_name) {
    delegate.fail("type",
                  "must be the bare name of an IPAM plugin in CNI_PATH, but is " + go_quoted(name));
  }
  if (name == "delegated-ipam") {
    delegate.fail("type", "is delegated-ipam itself; use \"host-local\", which is built in");
  }
  if (name != "host-local") return {false, {name}};
  if (in_process) return {};
  return {false, {"host-local.orig", "host-local"}};
}

DelegateChoice delegate_choice(const Json& document, Strictness strictness) {
  const Json* ipam = find_member(document, "ipam");
  if (ipam == nullptr || !ipam->is_object()) return {};
  const ConfigReader reader(ipam, "/ipam", ErrorCode::invalid_config);
  const Json* delegate = reader.find("delegate");
  if (delegate != nullptr && !delegate->is_object()) return {};
  return read_delegate_choice(reader, strictness);
}

ConfHead read_head(const Json& document, Strictness strictness) {
  return {read_name(document), read_cni_version(document), delegate_choice(document, strictness)};
}

}  // namespace shim
