#pragma once

#include <map>
#include <vector>

#include "weir/sim/observer.hpp"

namespace weir::sim {

/// Keeps all it is told.
class CollectingObserver final : public Observer {
public:
    void connected() override { ++connections; }
    void disconnected() override { --connections; }
    void connection_refused(const RefusedConnection& refused) override { refused_connections.push_back(refused); }
    void transaction_ended(const Transaction& transaction) override { transactions.push_back(transaction); }
    void refused(Reason reason) override { ++refusals[reason]; }
    void violated(Violation violation) override { ++violations[violation]; }

    int connections = 0;
    std::vector<RefusedConnection> refused_connections;
    std::vector<Transaction> transactions;
    std::map<Reason, int> refusals;
    std::map<Violation, int> violations;
};

}  // namespace weir::sim
