#include "weir/proxy/proxy.hpp"

#include <thread>
#include <utility>

#include "weir/net/endpoint.hpp"
#include "worker.hpp"

namespace weir::proxy {

struct Proxy::Impl {
    Impl(Parts parts, const Settings& settings)
        : shared{.parts = parts,
                 .relays = RelayDirectory(settings.upstream.relays),
                 .budget = ConnectionBudget(settings.upstream.max_connections)} {}

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

core::Error Proxy::check(const ListenSpec& spec) {
    return spec.inherited >= 0 ? core::Error() : net::Listener::check(net::to_asio(spec.address, spec.port));
}

void Proxy::start(std::vector<ListenSpec> specs) {
    for (const auto& worker : impl_->workers) {
        worker->set_listeners(specs);
        impl_->threads.emplace_back([&worker = *worker] { worker.run(); });
    }
    impl_->workers.front()->learn_extensions();
}

void Proxy::reload(Settings settings, std::vector<ListenSpec> specs) {
    impl_->shared.relays.replace(settings.upstream.relays);
    impl_->shared.budget.set_max_open(settings.upstream.max_connections);
    const auto shared_settings = std::make_shared<const Settings>(std::move(settings));
    for (const auto& worker : impl_->workers) {
        worker->apply(shared_settings);
        worker->set_listeners(specs);
    }
    impl_->workers.front()->learn_extensions();
}

void Proxy::drain(core::Duration grace) {
    for (const auto& worker : impl_->workers) worker->drain(grace);
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
