#include "connection_budget.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <utility>

#include "upstream_pool.hpp"

namespace weir::proxy {

void ConnectionBudget::add_pool(UpstreamPool& pool) {
    const std::lock_guard lock(mutex_);
    pools_.push_back(&pool);
}

void ConnectionBudget::set_max_open(unsigned max_open) {
    const std::lock_guard lock(mutex_);
    max_open_ = max_open;
}

std::shared_ptr<ConnectionWaiter> ConnectionBudget::take_or_wait(UpstreamPool& pool) {
    const std::lock_guard lock(mutex_);
    if (open_ < max_open_ && queue_.empty()) {
        ++open_;
        return nullptr;
    }
    auto waiter = std::make_shared<ConnectionWaiter>(pool, pool.executor());
    queue_.push_back(waiter);
    waiting_.store(queue_.size());
    for (UpstreamPool* other : pools_) {
        if (other != &pool) other->ask_to_shed();
    }
    return waiter;
}

bool ConnectionBudget::give_up(const std::shared_ptr<ConnectionWaiter>& waiter) {
    const std::lock_guard lock(mutex_);
    if (waiter->granted) return false;
    std::erase(queue_, waiter);
    waiting_.store(queue_.size());
    return true;
}

std::optional<RelayConnection> ConnectionBudget::release(UpstreamPool& pool,
                                                         std::optional<RelayConnection> connection) {
    std::unique_lock lock(mutex_);
    if (queue_.empty() || open_ > max_open_) {
        if (connection && open_ <= max_open_) return connection;
        --open_;
        lock.unlock();
        if (connection) connection->quit();
        return std::nullopt;
    }
    const std::shared_ptr<ConnectionWaiter> next = std::move(queue_.front());
    queue_.pop_front();
    waiting_.store(queue_.size());
    next->granted = true;
    if (connection && next->pool == &pool) next->handed = std::exchange(connection, std::nullopt);
    lock.unlock();
    if (connection) connection->quit();
    boost::asio::post(next->timer.get_executor(), [next] { next->timer.cancel(); });
    return std::nullopt;
}

}  // namespace weir::proxy
