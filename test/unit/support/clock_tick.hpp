#pragma once
/// The clock by which file systems that keep coarse times say when something changed.
#include <ctime>
#include <tuple>

namespace test {

/// What changes now gets another time than what changed before.
inline void wait_for_next_tick() {
  timespec before{};
  timespec now{};
  // Files may have been given the exact time by now (Linux 6.13), which a late tick is still behind.
  ::clock_gettime(CLOCK_REALTIME, &before);
  do {
    ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  } while (std::tie(now.tv_sec, now.tv_nsec) <= std::tie(before.tv_sec, before.tv_nsec));
}

}  // namespace test
