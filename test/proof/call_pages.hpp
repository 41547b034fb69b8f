#pragma once
/// Which system calls the store makes, and what each may answer: the errors of its man page
/// (man-pages 6.03, Debian 12), those that file systems give besides, and short counts.
#include <cstdint>
#include <string>
#include <vector>

namespace proof {

enum class Call : std::uint8_t {
  open,
  mkdir,
  getdents,
  lseek,
  stat,
  read,
  write,
  pwrite,
  truncate,
  set_attribute,
  get_attribute,
  link,
  unlink,
  read_link,
  symlink,
  rename,
  fsync,
  flock,
  close,
  statfs,
  name_to_handle,
  open_by_handle
};

struct CallPage {
  Call call;
  const char* pages;  ///< as man(1) is asked for them
  std::vector<int> errors;
  /// Those of `errors` that are no trouble but an answer which the store has to believe: the name
  /// is not there, or is already; it is no regular file, or ends here; nobody may ask for its
  /// attributes; the file system cannot do this at all.
  /// Who is told so untruly may lose what he would have found; nobody else may lose anything.
  std::vector<int> answers;
  /// It may do less than it was asked for.
  bool may_be_short = false;
};

/// In the order of Call.
const std::vector<CallPage>& call_pages();
const CallPage& page_of(Call call);

/// What no page lists and file systems answer all the same: ext4 with metadata checksums of a
/// damaged inode, xfs of one, NFS and overlays of a file that is gone behind them, FUSE whose
/// daemon has died, any disk.
const std::vector<int>& errors_beyond_pages();

/// How much less a call does.
enum class Short : std::uint8_t { no, nothing, one, half, all_but_one };
const std::vector<Short>& short_counts();
std::size_t shortened(std::size_t count, Short by);

/// One way in which a call goes wrong.
struct Trouble {
  int error = 0;  ///< 0: a short count
  Short by = Short::no;

  [[nodiscard]] std::string text() const;  ///< "EIO", "half of it"
};

/// All of them.
std::vector<Trouble> troubles_of(Call call);
/// See CallPage::answers.
bool is_answer(Call call, const Trouble& trouble);

}  // namespace proof
