#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "relay_connection.hpp"

namespace weir::proxy {

class UpstreamPool;

/// A session that waits for its turn at the relay. Its fields are the budget's, under the budget's mutex.
struct ConnectionWaiter {
    explicit ConnectionWaiter(UpstreamPool& waiting_pool, const boost::asio::any_io_executor& executor)
        : pool(&waiting_pool), timer(executor) {}

    UpstreamPool* pool;
    boost::asio::steady_timer timer;  ///< cancelled, on its own thread, when the turn has come
    bool granted = false;
    std::optional<RelayConnection> handed;  ///< an open connection of the same worker, else the right to open one
};

/// How many connections to the relay may be open over all workers, and who is next when all are.
///
/// First come, first served over all workers: a busy worker cannot starve another. A permit belongs to an open (or
/// opening) connection, idle ones included; when somebody waits, idle connections of other workers are given up.
///
/// Threads: synchronised. Pools add themselves before the workers start and stay until all have stopped.
class ConnectionBudget {
public:
    explicit ConnectionBudget(unsigned max_open) : max_open_(max_open) {}

    void add_pool(UpstreamPool& pool);

    /// A lower maximum takes effect as connections close.
    void set_max_open(unsigned max_open);

    /// Returns nothing when a connection may be opened at once; else the place in the queue that was taken.
    [[nodiscard]] std::shared_ptr<ConnectionWaiter> take_or_wait(UpstreamPool& pool);

    /// Leaves the queue. False when the turn had come already: then the grant must be used or given back.
    [[nodiscard]] bool give_up(const std::shared_ptr<ConnectionWaiter>& waiter);

    enum class Fate : std::uint8_t {
        keep,       ///< nobody waits: the pool may keep it idle
        handed_on,  ///< a session of the same worker has it now
        close,      ///< close it, then release() its permit: another worker waits, or there are too many
    };
    /// A connection is no longer in use. What `handed_on` means for `connection` is that it has been moved from.
    [[nodiscard]] Fate offer(UpstreamPool& pool, RelayConnection& connection);

    /// A connection has been closed, or could not be opened: its permit goes to whoever is next.
    void release();

    [[nodiscard]] bool has_waiters() const { return waiting_.load() > 0; }

private:
    [[nodiscard]] std::shared_ptr<ConnectionWaiter> take_next();
    static void wake(const std::shared_ptr<ConnectionWaiter>& waiter);

    mutable std::mutex mutex_;
    unsigned max_open_;
    unsigned open_ = 0;
    std::atomic<std::size_t> waiting_{0};
    std::deque<std::shared_ptr<ConnectionWaiter>> queue_;
    std::vector<UpstreamPool*> pools_;
};

}  // namespace weir::proxy
