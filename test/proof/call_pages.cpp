#include "test/proof/call_pages.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace proof {
namespace {

/// A short count, as an error: a regular file ends where a read stops.
constexpr int kFewer = 0;

}  // namespace

const std::vector<CallPage>& call_pages() {
  static const std::vector<CallPage> all = {
      {Call::open,
       "open(2)",
       {EACCES,       EBADF,      EBUSY,  EDQUOT, EEXIST, EFAULT,  EFBIG,     EINTR,      EINVAL,
        EISDIR,       ELOOP,      EMFILE, ENFILE, ENODEV, ENOENT,  ENOMEM,    ENOSPC,     ENOTDIR,
        ENAMETOOLONG, EOPNOTSUPP, ENXIO,  EPERM,  EROFS,  ETXTBSY, EOVERFLOW, EWOULDBLOCK},
       {EEXIST, ELOOP, ENOENT, ENOTDIR, ENXIO}},
      {Call::mkdir,
       "mkdir(2)",
       {EACCES, EBADF, EDQUOT, EEXIST, EFAULT, EINVAL, ELOOP, EMLINK, ENAMETOOLONG, ENOENT, ENOMEM,
        ENOSPC, ENOTDIR, EPERM, EROFS},
       {EEXIST, ENOENT, ENOTDIR}},
      {Call::getdents, "getdents(2)", {EBADF, EFAULT, EINVAL, ENOENT, ENOTDIR}, {}, true},
      {Call::lseek, "lseek(2)", {EBADF, EINVAL, ENXIO, EOVERFLOW, ESPIPE}, {}},
      // stat(2), fstat(2), fstatat(2), statx(2)
      {Call::stat,
       "statx(2)",
       {EACCES, EBADF, EFAULT, EINVAL, ELOOP, ENAMETOOLONG, ENOENT, ENOMEM, ENOTDIR, EOVERFLOW},
       {ENOENT, ENOTDIR}},
      {Call::read, "read(2)", {EAGAIN, EBADF, EFAULT, EINTR, EINVAL, EIO, EISDIR}, {kFewer}, true},
      {Call::write,
       "write(2)",
       {EAGAIN, EBADF, EDESTADDRREQ, EDQUOT, EFAULT, EFBIG, EINTR, EINVAL, EIO, ENOSPC, EPERM,
        EPIPE},
       {},
       true},
      // pwrite(2) has those of write(2) and lseek(2)
      {Call::pwrite,
       "pwrite(2)",
       {EAGAIN, EBADF, EDESTADDRREQ, EDQUOT, EFAULT, EFBIG, EINTR, EINVAL, EIO, ENOSPC, ENXIO,
        EOVERFLOW, EPERM, EPIPE, ESPIPE},
       {},
       true},
      {Call::truncate,
       "ftruncate(2)",
       {EACCES, EBADF, EFAULT, EFBIG, EINTR, EINVAL, EIO, EISDIR, ELOOP, ENAMETOOLONG, ENOENT,
        ENOTDIR, EPERM, EROFS, ETXTBSY},
       {}},
      // setxattr(2) and getxattr(2) have those of stat(2) besides
      {Call::set_attribute,
       "setxattr(2)",
       {EDQUOT, EEXIST, ENODATA, ENOSPC, ENOTSUP, EPERM, ERANGE, EACCES, EBADF, EFAULT, EINVAL,
        ELOOP, ENAMETOOLONG, ENOENT, ENOMEM, ENOTDIR, EOVERFLOW},
       {}},
      {Call::get_attribute,
       "getxattr(2)",
       {E2BIG, ENODATA, ENOTSUP, ERANGE, EACCES, EBADF, EFAULT, EINVAL, ELOOP, ENAMETOOLONG, ENOENT,
        ENOMEM, ENOTDIR, EOVERFLOW},
       {EACCES, ENODATA, ENOTSUP, EPERM, ERANGE}},
      {Call::link,
       "link(2)",
       {EACCES, EBADF, EDQUOT, EEXIST, EFAULT, EINVAL, EIO, ELOOP, EMLINK, ENAMETOOLONG, ENOENT,
        ENOMEM, ENOSPC, ENOTDIR, EPERM, EROFS, EXDEV},
       {EEXIST}},
      {Call::unlink,
       "unlink(2)",
       {EACCES, EBADF, EBUSY, EFAULT, EINVAL, EIO, EISDIR, ELOOP, ENAMETOOLONG, ENOENT, ENOMEM,
        ENOTDIR, EPERM, EROFS},
       {ENOENT}},
      {Call::read_link,
       "readlink(2)",
       {EACCES, EBADF, EFAULT, EINVAL, EIO, ELOOP, ENAMETOOLONG, ENOENT, ENOMEM, ENOTDIR},
       {EINVAL, ENOENT}},
      {Call::symlink,
       "symlink(2)",
       {EACCES, EBADF, EDQUOT, EEXIST, EFAULT, EIO, ELOOP, ENAMETOOLONG, ENOENT, ENOMEM, ENOSPC,
        ENOTDIR, EPERM, EROFS},
       {EEXIST}},
      {Call::rename,
       "rename(2)",
       {EACCES, EBADF, EBUSY, EDQUOT, EEXIST, EFAULT, EINVAL, EISDIR, ELOOP, EMLINK, ENAMETOOLONG,
        ENOENT, ENOMEM, ENOSPC, ENOTDIR, ENOTEMPTY, EPERM, EROFS, EXDEV},
       {}},
      {Call::fsync, "fsync(2)", {EBADF, EDQUOT, EINTR, EINVAL, EIO, ENOSPC, EROFS}, {}},
      {Call::flock, "flock(2)", {EBADF, EINTR, EINVAL, ENOLCK, EWOULDBLOCK}, {}},
      {Call::close, "close(2)", {EBADF, EDQUOT, EINTR, EIO, ENOSPC}, {}},
      {Call::statfs,
       "statfs(2)",
       {EACCES, EBADF, EFAULT, EINTR, EIO, ELOOP, ENAMETOOLONG, ENOENT, ENOMEM, ENOSYS, ENOTDIR,
        EOVERFLOW},
       {ENOENT, ENOTDIR}},
      {Call::name_to_handle,
       "name_to_handle_at(2)",
       {EACCES, EBADF, EFAULT, EINVAL, ELOOP, ENAMETOOLONG, ENOENT, ENOMEM, ENOTDIR, EOPNOTSUPP,
        EOVERFLOW, EPERM},
       {ENOENT, ENOTDIR}},
      {Call::open_by_handle,
       "open_by_handle_at(2)",
       {EACCES, EBADF, EFAULT, EINVAL, ELOOP, EMFILE, ENFILE, ENOENT, ENOMEM, ENOTDIR, EPERM,
        ESTALE},
       {ESTALE}},
  };
  return all;
}

const CallPage& page_of(Call call) { return call_pages().at(static_cast<std::size_t>(call)); }

const std::vector<int>& errors_beyond_pages() {
  static const std::vector<int> all = {EBADMSG, EUCLEAN, ESTALE, ENOTCONN, EIO};
  return all;
}

const std::vector<Short>& short_counts() {
  static const std::vector<Short> all = {Short::nothing, Short::one, Short::half,
                                         Short::all_but_one};
  return all;
}

std::size_t shortened(std::size_t count, Short by) {
  if (count == 0) return 0;
  switch (by) {
    case Short::no:
      return count;
    case Short::nothing:
      return 0;
    case Short::one:
      return 1;
    case Short::half:
      return (count + 1) / 2;
    case Short::all_but_one:
      return count - 1;
  }
  return count;
}

std::string Trouble::text() const {
  constexpr std::array<const char*, 5> counts = {"all", "nothing", "one", "half", "all but one"};
  if (error == 0) return std::string(counts.at(static_cast<std::size_t>(by))) + " of it";
  const char* const name = ::strerrorname_np(error);
  return name == nullptr ? std::to_string(error) : name;
}

std::vector<Trouble> troubles_of(Call call) {
  const CallPage& page = page_of(call);
  std::vector<Trouble> all;
  for (const int error : page.errors) all.push_back({error, Short::no});
  for (const int error : errors_beyond_pages()) {
    if (std::find(page.errors.begin(), page.errors.end(), error) == page.errors.end())
      all.push_back({error, Short::no});
  }
  if (!page.may_be_short) return all;
  for (const Short by : short_counts()) {
    // A folder that ends too early is told of by no kernel.
    if (call != Call::getdents || by != Short::nothing) all.push_back({0, by});
  }
  return all;
}

bool is_answer(Call call, const Trouble& trouble) {
  const auto& answers = page_of(call).answers;
  return std::find(answers.begin(), answers.end(), trouble.error) != answers.end();
}

}  // namespace proof
