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
    while (open_ < max_open_ && !queue_.empty()) {
        ++open_;
        wake(take_next());
    }
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

ConnectionBudget::Fate ConnectionBudget::offer(UpstreamPool& pool, RelayConnection& connection) {
    const std::lock_guard lock(mutex_);
    if (open_ > max_open_) return Fate::close;
    if (queue_.empty()) return Fate::keep;
    if (queue_.front()->pool != &pool) return Fate::close;
    const auto next = take_next();
    next->handed = std::move(connection);
    wake(next);
    return Fate::handed_on;
}

void ConnectionBudget::release() {
    const std::lock_guard lock(mutex_);
    if (queue_.empty() || open_ > max_open_) {
        --open_;
    } else {
        wake(take_next());
    }
}

std::shared_ptr<ConnectionWaiter> ConnectionBudget::take_next() {
    std::shared_ptr<ConnectionWaiter> next = std::move(queue_.front());
    queue_.pop_front();
    waiting_.store(queue_.size());
    next->granted = true;
    return next;
}

void ConnectionBudget::wake(const std::shared_ptr<ConnectionWaiter>& waiter) {
    boost::asio::post(waiter->timer.get_executor(), [waiter] { waiter->timer.cancel(); });
}

}  // namespace weir::proxy
