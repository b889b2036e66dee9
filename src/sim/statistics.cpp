#include "statistics.hpp"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <boost/algorithm/string/case_conv.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <vector>

#include "json_text.hpp"

namespace weir::sim {
namespace {

constexpr std::size_t most_domains = 100'000;
constexpr std::size_t most_shown = 20;

prometheus::Counter& single_counter(prometheus::Registry& registry, const char* name, const char* help) {
    return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

prometheus::Gauge& single_gauge(prometheus::Registry& registry, const char* name, const char* help) {
    return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

/// One counter for each value of an enumeration, so that every series is there from the beginning; but for `none`.
template <class Enum, std::size_t size>
void fill(std::array<prometheus::Counter*, size>& counters, prometheus::Family<prometheus::Counter>& family,
          const std::string& label) {
    for (std::size_t i = 0; i < size; ++i) {
        const std::string name(to_string(static_cast<Enum>(i)));
        if (name != "none") counters[i] = &family.Add({{label, name}});
    }
}

template <class Enum>
std::size_t index(Enum value) {
    return static_cast<std::size_t>(value);
}

Outcome outcome_of(const Transaction::Recipient& recipient, Outcome transaction) {
    if (recipient.code >= 500) return Outcome::rejected;
    if (recipient.code >= 400) return Outcome::deferred;
    return recipient.code == 250 ? transaction : Outcome::dropped;
}

std::uint64_t count_of(const prometheus::Counter& counter) {
    return static_cast<std::uint64_t>(counter.Value());
}

template <class Enum, std::size_t size>
boost::json::object counts(const std::array<prometheus::Counter*, size>& counters) {
    boost::json::object object;
    for (std::size_t i = 0; i < size; ++i) {
        if (counters[i] != nullptr) object[to_string(static_cast<Enum>(i))] = count_of(*counters[i]);
    }
    return object;
}

double seconds(core::Duration duration) {
    return std::chrono::duration<double>(duration).count();
}

}  // namespace

Statistics::Statistics()
    : connections_total_(single_counter(registry_, "weir_sim_connections_total", "Connections accepted by the kernel")),
      connections_refused_(single_counter(registry_, "weir_sim_connections_refused_total",
                                          "Connections that were not greeted with 220")),
      body_bytes_(single_counter(registry_, "weir_sim_body_bytes_total", "Bytes of accepted messages")),
      blocks_(single_counter(registry_, "weir_sim_blocks_total", "Blocks that reputation has started")),
      blocked_seconds_(
          single_counter(registry_, "weir_sim_blocked_seconds_total", "Time spent blocked, over all hosts")),
      connections_(single_gauge(registry_, "weir_sim_connections", "Connections that are open")),
      blocked_(single_gauge(registry_, "weir_sim_blocked", "Hosts that are blocked for their reputation")) {
    using prometheus::BuildCounter;
    fill<Outcome>(transactions_,
                  BuildCounter()
                      .Name("weir_sim_transactions_total")
                      .Help("MAIL commands, by what came of them")
                      .Register(registry_),
                  "outcome");
    fill<Outcome>(recipients_,
                  BuildCounter()
                      .Name("weir_sim_recipients_total")
                      .Help("RCPT commands, by what came of them")
                      .Register(registry_),
                  "outcome");
    fill<Reason>(refused_,
                 BuildCounter()
                     .Name("weir_sim_refused_total")
                     .Help("Answers other than the usual positive one, at any stage")
                     .Register(registry_),
                 "reason");
    fill<Violation>(violations_,
                    BuildCounter()
                        .Name("weir_sim_violations_total")
                        .Help("What clients did that an SMTP client does not do")
                        .Register(registry_),
                    "kind");
}

void Statistics::connected() {
    connections_total_.Increment();
    connections_.Increment();
}

void Statistics::disconnected() {
    connections_.Decrement();
}

void Statistics::connection_refused() {
    connections_refused_.Increment();
}

void Statistics::transaction_ended(const Transaction& transaction) {
    transactions_[index(transaction.outcome)]->Increment();
    for (const Transaction::Recipient& recipient : transaction.recipients) {
        recipients_[index(outcome_of(recipient, transaction.outcome))]->Increment();
    }
    if (transaction.outcome == Outcome::accepted) body_bytes_.Increment(static_cast<double>(transaction.body.size));
    count_domain(transaction);
}

void Statistics::refused(Reason reason) {
    refused_[index(reason)]->Increment();
}

void Statistics::violated(Violation violation) {
    violations_[index(violation)]->Increment();
}

void Statistics::count_domain(const Transaction& transaction) {
    const auto at = transaction.sender.rfind('@');
    std::string name = at == std::string::npos ? "<>" : boost::to_lower_copy(transaction.sender.substr(at + 1));
    if (domains_.size() >= most_domains && !domains_.contains(name)) name = "(others)";
    Domain& domain = domains_[std::move(name)];
    ++domain.transactions;
    if (transaction.outcome == Outcome::accepted) ++domain.accepted;
}

std::string Statistics::metrics(const IspModel::Blocks& blocks) {
    blocked_.Set(static_cast<double>(blocks.now));
    // These two are counted by the model: bring the counters up to it.
    blocks_.Increment(static_cast<double>(blocks.started) - blocks_.Value());
    blocked_seconds_.Increment(seconds(blocks.total) - blocked_seconds_.Value());
    return prometheus::TextSerializer().Serialize(registry_.Collect());
}

std::string Statistics::summary(const IspModel::Blocks& blocks) const {
    using Item = std::pair<std::string, Domain>;
    std::vector<Item> top(std::min(most_shown, domains_.size()));
    std::partial_sort_copy(
        domains_.begin(), domains_.end(), top.begin(), top.end(),
        [](const auto& left, const auto& right) { return left.second.transactions > right.second.transactions; });
    boost::json::array domains;
    for (const auto& [name, domain] : top) {
        domains.push_back(boost::json::object{
            {"domain", json_text(name)}, {"transactions", domain.transactions}, {"accepted", domain.accepted}});
    }
    return boost::json::serialize(boost::json::object{
        {"accepted", count_of(*transactions_[index(Outcome::accepted)])},
        {"blocked_now", blocks.now > 0},
        {"times_blocked", blocks.started},
        {"blocked_seconds", seconds(blocks.total)},
        {"transactions", counts<Outcome>(transactions_)},
        {"recipients", counts<Outcome>(recipients_)},
        {"refused", counts<Reason>(refused_)},
        {"violations", counts<Violation>(violations_)},
        {"connections",
         {{"open", static_cast<std::int64_t>(connections_.Value())},
          {"total", count_of(connections_total_)},
          {"refused", count_of(connections_refused_)}}},
        {"sender_domains", {{"different", domains_.size()}, {"top", std::move(domains)}}},
    });
}

}  // namespace weir::sim
