#include "weir/proxy/proxy.hpp"

#include <future>
#include <set>
#include <thread>
#include <utility>

#include "worker.hpp"

namespace weir::proxy {

namespace {

std::set<std::string> as_set(const std::vector<std::string>& texts) {
    return {texts.begin(), texts.end()};
}

}  // namespace

struct Proxy::Impl {
    Impl(Parts parts, const Settings& settings)
        : shared{.parts = parts,
                 .relays = RelayDirectory(settings.upstream.relays),
                 .budget = ConnectionBudget(settings.upstream.max_connections)} {}

    /// On all workers; the same trouble is told once.
    std::vector<std::string> listen(const std::vector<ListenSpec>& specs) {
        std::vector<std::future<std::vector<std::string>>> answers;
        for (const auto& worker : workers) answers.push_back(worker->set_listeners(specs));
        std::set<std::string> problems;
        for (auto& answer : answers) problems.merge(as_set(answer.get()));
        return {problems.begin(), problems.end()};
    }

    Shared shared;
    std::vector<std::unique_ptr<Worker>> workers;
    std::vector<std::thread> threads;
};

Proxy::Proxy(Parts parts, Settings settings, unsigned workers) : impl_(std::make_unique<Impl>(parts, settings)) {
    const auto shared_settings = std::make_shared<const Settings>(std::move(settings));
    for (unsigned i = 0; i < workers; ++i)
        impl_->workers.push_back(std::make_unique<Worker>(impl_->shared, shared_settings));
}

Proxy::~Proxy() {
    drain(core::Duration::zero());
    wait();
}

std::vector<std::string> Proxy::start(const std::vector<ListenSpec>& specs) {
    for (const auto& worker : impl_->workers) {
        impl_->threads.emplace_back([&worker = *worker] { worker.run(); });
    }
    impl_->workers.front()->learn_extensions();
    return impl_->listen(specs);
}

std::vector<std::string> Proxy::reload(Settings settings, const std::vector<ListenSpec>& specs) {
    impl_->shared.relays.replace(settings.upstream.relays);
    impl_->shared.budget.set_max_open(settings.upstream.max_connections);
    const auto shared_settings = std::make_shared<const Settings>(std::move(settings));
    for (const auto& worker : impl_->workers) worker->apply(shared_settings);
    impl_->workers.front()->learn_extensions();
    return impl_->listen(specs);
}

void Proxy::drain(core::Duration grace) {
    for (const auto& worker : impl_->workers) worker->drain(grace);
}

bool Proxy::soon_on_this_worker(std::function<void()> what) {
    return Worker::soon_here(std::move(what));
}

void Proxy::wait() {
    for (std::thread& thread : impl_->threads) {
        if (thread.joinable()) thread.join();
    }
}

std::vector<RelayDirectory::Status> Proxy::relays() const {
    return impl_->shared.relays.status();
}

bool Proxy::is_relay_known() const {
    return impl_->shared.relays.is_known();
}

}  // namespace weir::proxy
