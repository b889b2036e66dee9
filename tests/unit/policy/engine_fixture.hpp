#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weir/policy/engine.hpp"

namespace weir::policy {

inline constexpr core::TimePoint t0{std::chrono::hours(100)};

inline core::Quota quota(std::uint64_t count, core::Duration per, std::uint64_t burst) {
    return {.rate = {.count = count, .per = per}, .burst = burst};
}

inline Origin client(std::string_view address, std::string ident = {}) {
    return {.client = core::parse_ip(address).value(), .login = {}, .ident = std::move(ident)};
}

/// An engine, and the words for asking it whole messages.
class EngineTest : public testing::Test {
protected:
    static Settings with(std::vector<LimitSettings> limits) {
        Settings settings;
        settings.limits = std::move(limits);
        return settings;
    }

    /// MAIL only; the ticket stays in `ticket`.
    static Engine::Answer mail(Engine& engine, Ticket& ticket, const Origin& origin, std::string_view sender,
                               core::TimePoint now = t0, std::uint64_t size = 0, std::string_view lane = "default") {
        return engine.admit_message({.origin = origin, .sender = sender, .size = size, .lane = lane}, now, ticket);
    }

    /// MAIL, one RCPT and DATA. True: it may go to the relay.
    static bool send(Engine& engine, const Origin& origin, std::string_view sender, core::TimePoint now = t0,
                     std::string_view recipient = "you@there.example", std::string_view lane = "default") {
        Ticket ticket;
        if (mail(engine, ticket, origin, sender, now, 0, lane).hold) return false;
        if (engine.admit_recipient(ticket, recipient, now).hold) {
            engine.refund(ticket, now);
            return false;
        }
        engine.commit(ticket, now);
        return true;
    }

    /// How many of `tries` such messages pass at once.
    static int count_passing(Engine& engine, const Origin& origin, std::string_view sender, int tries,
                             core::TimePoint now = t0) {
        int passed = 0;
        for (int i = 0; i < tries; ++i) passed += send(engine, origin, sender, now) ? 1 : 0;
        return passed;
    }
};

}  // namespace weir::policy
