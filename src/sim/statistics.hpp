#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>

#include "weir/sim/model.hpp"
#include "weir/sim/observer.hpp"

namespace weir::sim {

/// Counts everything, for Prometheus and for the summary.
///
/// Memory:  at most 100,000 sender domains are told apart; the rest is counted together.
/// Threads: the server's.
class Statistics {
public:
    Statistics();

    void connected();
    void disconnected();
    void connection_refused();
    void transaction_ended(const Transaction& transaction);
    void refused(Reason reason);
    void violated(Violation violation);

    /// Prometheus text format 0.0.4.
    [[nodiscard]] std::string metrics(const IspModel::Blocks& blocks);

    /// The same at a glance, in JSON, with the sender domains that sent most.
    [[nodiscard]] std::string summary(const IspModel::Blocks& blocks) const;

private:
    struct Domain {
        std::uint64_t transactions = 0;
        std::uint64_t accepted = 0;
    };

    void count_domain(const Transaction& transaction);

    prometheus::Registry registry_;
    std::array<prometheus::Counter*, 5> transactions_{};  ///< by Outcome
    std::array<prometheus::Counter*, 5> recipients_{};    ///< by Outcome
    std::array<prometheus::Counter*, 10> refused_{};      ///< by Reason
    std::array<prometheus::Counter*, 6> violations_{};    ///< by Violation
    prometheus::Counter& connections_total_;
    prometheus::Counter& connections_refused_;
    prometheus::Counter& body_bytes_;
    prometheus::Counter& blocks_;
    prometheus::Counter& blocked_seconds_;
    prometheus::Gauge& connections_;
    prometheus::Gauge& blocked_;
    std::unordered_map<std::string, Domain> domains_;
};

}  // namespace weir::sim
