#include "test/proof/turns.hpp"

#include <thread>

namespace proof {

bool Turns::run(const std::vector<std::function<void()>>& processes) {
  processes_ = std::vector<Process>(processes.size());
  runs_ = plan_.first;
  std::vector<std::thread> threads;
  for (unsigned me = 0; me < processes.size(); ++me) {
    threads.emplace_back([&, me] {
      {
        Guard guard(mutex_);
        processes_[me].turn.wait(guard, [&] { return runs_ == me; });
      }
      if (!is_stuck_) {
        try {
          processes[me]();
        } catch (const Stuck&) {
        }
      }
      const Guard guard(mutex_);
      processes_[me].has_ended = true;
      // A process' end frees its locks.
      std::erase_if(holders_, [&](const auto& held) { return held.second == me; });
      hand_to_anybody(me);
    });
  }
  for (auto& thread : threads) thread.join();
  return !is_stuck_;
}

bool Turns::can_run(unsigned one) const {
  const Process& process = processes_[one];
  return !process.has_ended && (process.awaited == 0 || holders_.count(process.awaited) == 0);
}

void Turns::hand_over(unsigned to) {
  runs_ = to;
  processes_[to].turn.notify_one();
}

/// The next one that can run, in order after `me`; where none can, who waits is ended.
void Turns::hand_to_anybody(unsigned me) {
  const auto count = static_cast<unsigned>(processes_.size());
  for (unsigned i = 1; i <= count; ++i) {
    const unsigned one = (me + i) % count;
    if (can_run(one)) return hand_over(one);
  }
  for (unsigned one = 0; one < count; ++one) {
    if (processes_[one].has_ended) continue;
    is_stuck_ = true;
    return hand_over(one);
  }
}

void Turns::wait(Guard& guard, unsigned me) {
  processes_[me].turn.wait(guard, [&] { return runs_ == me; });
  if (is_stuck_) throw Stuck{};
}

void Turns::pass(unsigned me) {
  const std::size_t call = calls_++;
  if (is_stuck_ || next_switch_ == plan_.switches.size() || plan_.switches[next_switch_].at != call)
    return;
  const unsigned to = plan_.switches[next_switch_++].to;
  Guard guard(mutex_);
  if (to == me || !can_run(to)) return;
  hand_over(to);
  wait(guard, me);
}

void Turns::lock(unsigned me, std::uint64_t inode) {
  pass(me);
  Guard guard(mutex_);
  while (holders_.count(inode) != 0) {
    processes_[me].awaited = inode;
    hand_to_anybody(me);
    wait(guard, me);
  }
  processes_[me].awaited = 0;
  holders_[inode] = me;
}

void Turns::unlock(unsigned me, std::uint64_t inode) {
  if (is_stuck_) return;  // called by destructors, which must not throw
  pass(me);
  const Guard guard(mutex_);
  holders_.erase(inode);
}

}  // namespace proof
