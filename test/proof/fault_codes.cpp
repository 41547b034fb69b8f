#include "test/proof/fault_codes.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "shim/cni/protocol/error.hpp"

namespace proof {
namespace {

constexpr unsigned kInvalidConfig = 7;
constexpr unsigned kTryAgain = 11;
/// host-local's own code for whatever it does not expect.
constexpr unsigned kInternal = 999;

constexpr const char* kVersion = "1.1.0";

template <std::size_t Count>
bool is_among(int error, const std::array<int, Count>& errors) {
  return std::find(errors.begin(), errors.end(), error) != errors.end();
}

std::string trouble_with(const std::string& printed, const shim::CniError& error) {
  const auto object = nlohmann::json::parse(printed, nullptr, false);
  if (!object.is_object()) return "no object: " + printed;
  const auto is_text = [&](const char* member) {
    const auto found = object.find(member);
    return found != object.end() && found->is_string() && !found->get<std::string>().empty();
  };
  if (!is_text("cniVersion") || object["cniVersion"] != kVersion) return "no version: " + printed;
  if (!is_text("msg")) return "no msg: " + printed;
  const auto code = object.find("code");
  const bool has_code = code != object.end() && code->is_number_unsigned() &&
                        code->get<unsigned>() == static_cast<unsigned>(error.code) &&
                        code->get<unsigned>() != 0;
  return has_code ? std::string() : "no code: " + printed;
}

}  // namespace

ErrorTold told_of(const std::exception_ptr& failure) {
  const shim::CniError error = shim::to_cni_error(failure);
  return {static_cast<unsigned>(error.code), error.what(),
          trouble_with(shim::print_error(error, kVersion), error)};
}

/// Where nothing is said, the errno is none that passes by itself: what then is told is host-local's
/// code, or 11 by whoever goes on as far as he can (DEL, GC) or knows more than the errno.
std::vector<unsigned> codes_of(Call call, const Trouble& trouble) {
  // The disk or the machine is in trouble that somebody can mend: try again.
  constexpr std::array passing = {ENOSPC, EDQUOT, EROFS,  EIO,    EBADMSG, EUCLEAN,
                                  ESTALE, EMFILE, ENFILE, ENOMEM, ENOTCONN};
  if (is_among(trouble.error, passing)) return {kTryAgain};
  // What a signal interrupts is repeated: nobody may notice. Of fsync(2) nobody knows what it did.
  if (trouble.error == EINTR && call != Call::fsync) return {};
  // A file system without links cannot hold the state.
  constexpr std::array no_links = {EPERM, EOPNOTSUPP, ENOSYS};
  if ((call == Call::link || call == Call::symlink) && is_among(trouble.error, no_links))
    return {kInvalidConfig, kTryAgain};
  // The lock is another's.
  if (call == Call::flock && trouble.error == EWOULDBLOCK) return {kTryAgain};
  // What was told to be a regular file, or written, is not whole.
  if (trouble.error == 0) return {kTryAgain};
  return {kTryAgain, kInternal};
}

bool names_path(const std::string& text) {
  constexpr std::array<const char*, 3> roots = {"/var/", "/run/", "/proc/"};
  return std::any_of(roots.begin(), roots.end(),
                     [&](const char* root) { return text.find(root) != std::string::npos; });
}

}  // namespace proof
