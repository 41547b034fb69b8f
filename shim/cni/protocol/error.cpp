#include "shim/cni/protocol/error.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <system_error>

#include "allocator/error.hpp"
#include "allocator/store/disk/errors.hpp"
#include "shim/cni/protocol/json_text.hpp"

namespace shim {
namespace {

ErrorCode code_of(allocator::Kind kind) {
  switch (kind) {
    case allocator::Kind::busy:
      return ErrorCode::try_again_later;
    case allocator::Kind::refused:
      return ErrorCode::invalid_config;
    default:
      return ErrorCode::internal;
  }
}

/// Trouble with the disk or the machine that somebody can mend without us: the runtime should come
/// back.
bool may_pass(int error) {
  constexpr std::array passing = {ENOSPC, EDQUOT, EROFS,  EIO,    EBADMSG, EUCLEAN,
                                  ESTALE, EMFILE, ENFILE, ENOMEM, ENOTCONN};
  return std::find(passing.begin(), passing.end(), error) != passing.end();
}

/// Go prints errno texts with a small first letter; the messages stay greppable across both
/// plugins.
std::string with_go_errno_text(const std::system_error& error) {
  std::string text = error.what();
  const std::string cause = error.code().message();
  if (text.ends_with(cause)) {
    char& first = text[text.size() - cause.size()];
    first = static_cast<char>(std::tolower(static_cast<unsigned char>(first)));
  }
  return text;
}

}  // namespace

CniError to_cni_error(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const CniError& error) {
    return error;
  } catch (const allocator::Error& error) {
    return {code_of(error.kind), error.what(), error.details};
  } catch (const allocator::store::TryAgain& error) {
    return {ErrorCode::try_again_later, error.what()};
  } catch (const allocator::store::Unsupported& error) {
    return {ErrorCode::invalid_config, error.what()};
  } catch (const allocator::store::NewerFormat& error) {
    return {ErrorCode::invalid_config, error.what()};
  } catch (const allocator::store::ClosedRecord& error) {
    return {ErrorCode::try_again_later, error.what()};
  } catch (const allocator::store::UnfitFile& error) {
    return {ErrorCode::try_again_later, error.what()};
  } catch (const allocator::store::NoLinks& error) {
    return {ErrorCode::invalid_config, with_go_errno_text(error)};
  } catch (const std::system_error& error) {
    const ErrorCode code =
        may_pass(error.code().value()) ? ErrorCode::try_again_later : ErrorCode::internal;
    return {code, with_go_errno_text(error)};
  } catch (const std::exception& error) {
    return {ErrorCode::internal, error.what()};
  } catch (...) {
    return {ErrorCode::internal, "unknown failure"};
  }
}

std::string print_error(const CniError& error, std::string_view cni_version) {
  Json document = {{"cniVersion", std::string(cni_version)},
                   {"code", static_cast<unsigned>(error.code)},
                   {"msg", error.what()}};
  if (!error.details.empty()) document["details"] = error.details;
  return print_json(document);
}

}  // namespace shim
