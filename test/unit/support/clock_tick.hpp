#pragma once
/// The clock by which file systems that keep coarse times say when something changed.
#include <ctime>

namespace test {

/// What changes now gets another time than what changed before.
inline void wait_for_next_tick() {
  timespec before{};
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &before);
  do {
    ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  } while (now.tv_sec == before.tv_sec && now.tv_nsec == before.tv_nsec);
}

}  // namespace test
