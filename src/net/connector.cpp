#include "weir/net/connector.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <deque>
#include <optional>
#include <utility>

namespace weir::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using core::Errc;
using core::Error;

namespace {

constexpr core::Duration attempt_delay = std::chrono::milliseconds(250);  // RFC 8305 5: recommended

}  // namespace

/// Kept alive by the coroutine that waits for it, and by the handlers of what it has begun.
class Connector::Race : public std::enable_shared_from_this<Connector::Race> {
public:
    Race(const asio::any_io_executor& executor, std::vector<tcp::endpoint> endpoints)
        : endpoints_(std::move(endpoints)), stagger_(executor), over_(executor) {}

    Task<core::Result<Connected>> run(core::Duration timeout) {
        over_.expires_after(timeout);
        start_next();
        if (!is_over_) co_await over_.async_wait(asio::as_tuple(asio::use_awaitable));
        if (!is_over_) end(Errc::timed_out);
        if (!winner_) co_return last_;
        co_return Connected{.socket = std::move(attempts_[*winner_]), .index = *winner_};
    }

    /// The losers are closed; the winner, if there is one, is left open.
    void end(Error error) {
        if (std::exchange(is_over_, true)) return;
        last_ = error;
        stagger_.cancel();
        over_.cancel();
        for (std::size_t i = 0; i < attempts_.size(); ++i) {
            Error ignored;
            if (i != winner_) attempts_[i].close(ignored);
        }
    }

private:
    void start_next() {
        if (attempts_.size() == endpoints_.size()) {
            if (pending_ == 0) end(last_);
            return;
        }
        const std::size_t index = attempts_.size();
        ++pending_;
        attempts_.emplace_back(stagger_.get_executor())
            .async_connect(endpoints_[index], [self = shared_from_this(), index](const Error& error) {
                self->on_connected(index, error);
            });
        if (index + 1 == endpoints_.size()) return;
        stagger_.expires_after(attempt_delay);
        stagger_.async_wait([self = shared_from_this()](const Error& error) {
            if (!error && !self->is_over_) self->start_next();
        });
    }

    void on_connected(std::size_t index, const Error& error) {
        if (is_over_) return;
        --pending_;
        if (error) {
            last_ = error;
            return start_next();
        }
        winner_ = index;
        end({});
    }

    std::vector<tcp::endpoint> endpoints_;
    std::deque<tcp::socket> attempts_;  // of the endpoints with the same index
    std::size_t pending_ = 0;
    asio::steady_timer stagger_;
    asio::steady_timer over_;
    std::optional<std::size_t> winner_;
    Error last_ = Errc::relay_unreachable;
    bool is_over_ = false;
};

Connector::Connector(asio::any_io_executor executor)
    : executor_(std::move(executor)), races_(std::make_shared<std::list<std::weak_ptr<Race>>>()) {}

Connector::~Connector() {
    stop();
}

Task<core::Result<Connector::Connected>> Connector::connect(std::vector<tcp::endpoint> endpoints,
                                                            core::Duration timeout) {
    if (stopped_) co_return Error(asio::error::operation_aborted);
    const auto races = races_;  // stop() may be the connector's end
    const auto race = std::make_shared<Race>(executor_, std::move(endpoints));
    const auto place = races->insert(races->end(), race);
    auto connected = co_await race->run(timeout);
    races->erase(place);
    co_return connected;
}

void Connector::stop() {
    stopped_ = true;
    for (const auto& entry : *races_) {
        if (const auto race = entry.lock()) race->end(asio::error::operation_aborted);
    }
}

}  // namespace weir::net
