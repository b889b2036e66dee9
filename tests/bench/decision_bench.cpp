// What a decision costs: one limit on tables of three sizes, and all of a message's limits with the built-in set.
// Targets (design: speed): one limit at a million keys at most 60 ns, a whole message at most 1 microsecond and no
// allocation. Counters: bytes a key, allocations a message.

#include <benchmark/benchmark.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "weir/limit/keyed_table.hpp"
#include "weir/policy/domain.hpp"
#include "weir/policy/engine.hpp"

namespace {

std::atomic<std::uint64_t> allocations{0};

void* counted(void* memory) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
}

}  // namespace

void* operator new(std::size_t size) {
    return counted(std::malloc(size));
}
void* operator new(std::size_t size, std::align_val_t alignment) {
    const auto align = static_cast<std::size_t>(alignment);
    return counted(std::aligned_alloc(align, (size + align - 1) / align * align));
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
    std::free(memory);
}

namespace weir {
namespace {

using namespace std::chrono_literals;
using core::TimePoint;

constexpr limit::Seed seed{.low = 1, .high = 2};

/// Cheap random numbers, so that what is measured is the table.
class Random {
public:
    std::uint64_t operator()() {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return state_;
    }

private:
    std::uint64_t state_ = 88172645463325252;
};

limit::Key key_of(std::uint64_t number) {
    return limit::siphash(seed, {reinterpret_cast<const char*>(&number), sizeof number});
}

// Keys are hashed beforehand and walked in random order: each lookup is a cache miss where the table is large.
void one_limit(benchmark::State& state) {
    const auto keys = static_cast<std::uint64_t>(state.range(0));
    const limit::Pace pace({.rate = {.count = 1'000, .per = 1s}, .burst = 1'000'000});
    limit::KeyedTable table(keys, 0);
    std::vector<limit::Key> order(keys);
    for (std::uint64_t i = 0; i < keys; ++i) order[i] = key_of(i);
    for (const limit::Key& key : order) table.obtain(key, 0).set_bucket(0, {.full_at = limit::horizon / 2});
    Random random;
    for (std::uint64_t i = keys - 1; i > 0; --i) std::swap(order[i], order[random() % (i + 1)]);

    std::uint64_t next = 0;
    limit::Tick now = limit::horizon / 2;
    for (auto _ : state) {
        limit::KeyedTable::Row& row = table.obtain(order[next], now);
        if (++next == keys) next = 0;
        limit::Bucket bucket = row.bucket(0);
        if (pace.wait(bucket, now, 1) == 0s) benchmark::DoNotOptimize(pace.take(bucket, now, 1));
        row.set_bucket(0, bucket);
        now += 100;
    }
    state.counters["bytes_a_key"] = static_cast<double>(table.memory_bytes()) / static_cast<double>(keys);
}
BENCHMARK(one_limit)->Arg(1'000)->Arg(1'000'000)->Arg(10'000'000);

struct Traffic {
    policy::Origin origin;
    std::string sender;
};

/// Messages from `clients` clients, each with a domain of its own.
std::vector<Traffic> traffic(std::uint64_t clients) {
    std::vector<Traffic> all(clients);
    for (std::uint64_t i = 0; i < clients; ++i) {
        core::IpAddress address{{0x20, 0x01, 0x0d, 0xb8}};
        for (std::size_t byte = 0; byte < 4; ++byte) {
            address.bytes[4 + byte] = static_cast<std::uint8_t>(i >> (byte * 8));
        }
        all[i].origin = {.client = address, .login = {}, .ident = "4jYR2m5dFHz" + std::to_string(i)};
        all[i].sender = "newsletter@mail.customer-" + std::to_string(i) + ".example";
    }
    return all;
}

// MAIL, RCPT and DATA of one message through the built-in limits, at a pace at which all of it passes.
void whole_message(benchmark::State& state) {
    const auto all = traffic(static_cast<std::uint64_t>(state.range(0)));
    policy::Settings settings;
    settings.limits = policy::default_limits();
    policy::Engine engine(settings, 1, 2);
    policy::Ticket ticket;
    TimePoint now(1h);
    const auto step = core::Duration(20s) / static_cast<std::int64_t>(all.size());
    std::uint64_t next = 0;
    std::uint64_t held = 0;
    const auto message = [&] {
        const Traffic& from = all[next];
        if (++next == all.size()) next = 0;
        now += step;
        const auto mail = engine.admit_message(
            {.origin = from.origin, .sender = from.sender, .size = 4'096, .lane = "default"}, now, ticket);
        const auto rcpt = engine.admit_recipient(ticket, "someone@recipient.example", now);
        engine.commit(ticket, now);
        held += mail.hold || rcpt.hold ? 1 : 0;
    };
    for (std::size_t i = 0; i < all.size(); ++i) message();

    const std::uint64_t before = allocations.load(std::memory_order_relaxed);
    for (auto _ : state) message();
    const std::uint64_t after = allocations.load(std::memory_order_relaxed);
    state.counters["allocations"] =
        benchmark::Counter(static_cast<double>(after - before), benchmark::Counter::kAvgIterations);
    state.counters["held"] = static_cast<double>(held);
}
BENCHMARK(whole_message)->Arg(10)->Arg(1'000)->Arg(100'000);

// What the flood of the story costs while it is held, words of the reply included.
void held_message(benchmark::State& state) {
    policy::Settings settings;
    settings.limits = policy::default_limits();
    policy::Engine engine(settings, 1, 2);
    const policy::Origin origin{.client = core::parse_ip("203.0.113.9").value(), .login = {}, .ident = "4jYR2m5dFHz"};
    policy::Ticket ticket;
    const TimePoint now(1h);
    std::vector<std::string> senders;
    for (int i = 0; i < 400; ++i) senders.push_back("x@made-up-" + std::to_string(i) + ".example");
    std::uint64_t next = 0;
    for (auto _ : state) {
        const auto answer = engine.admit_message(
            {.origin = origin, .sender = senders[next++ % senders.size()], .size = 0, .lane = {}}, now, ticket);
        if (answer.hold) benchmark::DoNotOptimize(answer.hold->reply_text());
    }
}
BENCHMARK(held_message);

void registrable_domain_by_libpsl(benchmark::State& state) {
    for (auto _ : state) benchmark::DoNotOptimize(policy::registrable_domain("me@mail.example.co.uk"));
}
BENCHMARK(registrable_domain_by_libpsl);

}  // namespace
}  // namespace weir

BENCHMARK_MAIN();
