#include "weir/net/resolver.hpp"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <list>
#include <map>
#include <optional>
#include <random>
#include <utility>

#include "dns_query.hpp"

namespace weir::net {

namespace asio = boost::asio;
using core::Errc;
using core::Error;

namespace {

// With a stale answer at hand nobody waits longer for a better one. RFC 8767 5 has 1.8 s.
constexpr core::Duration patience_with_stale = std::chrono::milliseconds(1800);

core::TimePoint now() {
    return core::TimePoint::clock::now();
}

std::string key_of(const NameQuestion& question) {
    switch (question.kind) {
        case NameQuestion::Kind::host:
            return "host " + question.name;
        case NameQuestion::Kind::mail_host:
            return "mail host " + question.name;
        case NameQuestion::Kind::domain:
            break;
    }
    return "domain " + question.name;
}

}  // namespace

/// Kept alive by the sessions that wait in it.
struct Resolver::State : std::enable_shared_from_this<Resolver::State> {
    /// A question and who waits for the answer.
    struct Pending {
        std::shared_ptr<DnsQuery> query;
        std::list<std::shared_ptr<asio::steady_timer>> waiters;
        std::optional<core::Result<NameAnswer>> answer;

        void wake() const {
            for (const auto& waiter : waiters) waiter->cancel();
        }
    };

    State(const asio::any_io_executor& on, NameLimits limits) : executor(on), cache(limits) {}

    Task<core::Result<NameAnswer>> ask(NameQuestion question, core::Duration timeout) {
        const auto self = shared_from_this();
        if (stopped) co_return Error(asio::error::operation_aborted);
        const std::string key = key_of(question);
        if (auto known = cache.find(key, now())) co_return std::move(*known);
        const std::shared_ptr<Pending> pending = join(key, question, timeout);
        const bool has_stale = cache.find_stale(key, now()) != nullptr;
        const auto timer = std::make_shared<asio::steady_timer>(executor);
        timer->expires_after(has_stale ? std::min(timeout, patience_with_stale) : timeout);
        const auto place = pending->waiters.insert(pending->waiters.end(), timer);
        co_await timer->async_wait(asio::as_tuple(asio::use_awaitable));
        pending->waiters.erase(place);
        if (pending->answer) co_return *pending->answer;
        if (stopped) co_return Error(asio::error::operation_aborted);
        if (const NameAnswer* stale = cache.find_stale(key, now())) co_return *stale;
        co_return Error(Errc::timed_out);
    }

    std::shared_ptr<Pending> join(const std::string& key, const NameQuestion& question, core::Duration timeout) {
        std::shared_ptr<Pending>& place = pending_by_key[key];
        if (place) return place;
        auto pending = place = std::make_shared<Pending>();
        // The query belongs to what it calls back, which must therefore not own it in turn.
        auto on_done = [self = weak_from_this(), key, by = servers](core::Result<NameAnswer> answer) {
            const auto state = self.lock();
            if (state) state->on_answer(key, std::move(answer), by == state->servers);
        };
        pending->query = std::make_shared<DnsQuery>(executor, std::move(on_done));
        pending->query->start(question, servers, timeout);
        return pending;
    }

    void on_answer(const std::string& key, core::Result<NameAnswer> answer, bool is_worth_keeping) {
        const auto pending = std::move(pending_by_key.extract(key).mapped());
        if (is_worth_keeping) cache.store(key, answer, now());
        pending->answer = cache.find(key, now()).value_or(std::move(answer));
        pending->wake();
    }

    void forget_pending() {
        for (const auto& [key, pending] : std::exchange(pending_by_key, {})) {
            pending->query->cancel();
            pending->wake();
        }
    }

    asio::any_io_executor executor;
    NameCache cache;
    std::vector<core::SocketAddress> servers;
    std::map<std::string, std::shared_ptr<Pending>> pending_by_key;
    Random random{std::random_device()()};
    bool stopped = false;
};

Resolver::Resolver(const asio::any_io_executor& executor, NameLimits limits)
    : state_(std::make_shared<State>(executor, limits)) {}

Resolver::~Resolver() {
    stop();
}

void Resolver::set_servers(std::vector<core::SocketAddress> servers) {
    if (servers == state_->servers) return;
    state_->servers = std::move(servers);
    state_->cache.clear();
}

Task<core::Result<std::vector<core::IpAddress>>> Resolver::addresses(std::string host, Names names,
                                                                     core::Duration timeout) {
    if (const auto literal = core::parse_ip(host)) co_return std::vector{*literal};
    const auto state = state_;
    const auto kind = names == Names::complete ? NameQuestion::Kind::mail_host : NameQuestion::Kind::host;
    NameQuestion question{.kind = kind, .name = std::move(host)};
    const auto answer = co_await state->ask(std::move(question), timeout);
    if (!answer) co_return answer.error();
    co_return interleaved(answer->addresses);
}

Task<core::Result<std::vector<std::string>>> Resolver::mail_hosts(std::string domain, core::Duration timeout) {
    const auto state = state_;
    NameQuestion question{.kind = NameQuestion::Kind::domain, .name = domain};
    const auto answer = co_await state->ask(std::move(question), timeout);
    if (answer) co_return in_order_of_preference(answer->mail_hosts, state->random);
    if (answer.error() == Errc::name_not_found) co_return std::vector{std::move(domain)};
    co_return answer.error();
}

void Resolver::stop() {
    state_->stopped = true;
    state_->forget_pending();
}

}  // namespace weir::net
